"""Thresholds of uncertainty and leverage, and the quadrants they cut.

======== ========= ============
quadrant U         L_local
======== ========= ============
Q1       high      high
Q2       high      low
Q3       low       low
Q4       low       high
======== ========= ============

``high`` means strictly above the upper cut, ``low`` at or below the lower one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.errors import TeachableError

Method = Literal["median", "percentiles", "given"]
PERCENTILES = (33.0, 67.0)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where an axis is cut: low is ``value <= low``, high is ``value > high``; between lies nothing."""

    low: float
    high: float


def cut(values: NDArray[np.float64], method: Method, given: float | None = None) -> Cut | None:
    """The cut of one axis over the labelled set.

    ``median``: one threshold, the median; ``percentiles``: the 33rd and the 67th (linear interpolation), so
    that the middle third belongs to no quadrant; ``given``: one threshold by hand. None when there is nothing to
    take a median of. Raises TeachableError when ``given`` is asked for without a number.
    """
    if method == "given":
        if given is None:
            raise TeachableError("thresholds: given needs both numbers, given_U and given_L.")
        return Cut(given, given)
    if values.size == 0:
        return None
    if method == "median":
        middle = float(np.median(values))
        return Cut(middle, middle)
    low, high = np.percentile(values, PERCENTILES)
    return Cut(float(low), float(high))


def quadrant(u: pl.Expr, leverage: pl.Expr, u_cut: Cut | None, l_cut: Cut | None) -> pl.Expr:
    """The quadrant's name; null where a value is null or between the cuts, or without cuts."""
    if u_cut is None or l_cut is None:
        return pl.lit(None, dtype=pl.String)
    high_u, low_u = u > u_cut.high, u <= u_cut.low
    high_l, low_l = leverage > l_cut.high, leverage <= l_cut.low
    return (
        pl.when(high_u & high_l)
        .then(pl.lit("Q1"))
        .when(high_u & low_l)
        .then(pl.lit("Q2"))
        .when(low_u & low_l)
        .then(pl.lit("Q3"))
        .when(low_u & high_l)
        .then(pl.lit("Q4"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )
