"""Closed forms: intervals of a rate, effect sizes, and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from teachable.stats.core import Floats, Interval, StatsError, as_floats


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a success rate (Wilson 1927; Brown, Cai & DasGupta 2001).

    Only for items that do not share a game; otherwise use the cluster bootstrap.
    """
    if n < 1 or not 0 <= successes <= n:
        raise StatsError(f"a rate needs 0 <= successes <= n and n >= 1, but got {successes} of {n}.")
    if not 0 < level < 1:
        raise StatsError(f"level must lie between 0 and 1, but is {level}.")
    bounds = binomtest(successes, n).proportion_ci(level, method="wilson")
    return Interval(successes / n, float(bounds.low), float(bounds.high), f"wilson_{level * 100:g}", 0, None, n, n)


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability curve: edges, mean prediction, mean outcome and count of each bin that is not empty."""

    low: Floats
    high: Floats
    predicted: Floats
    observed: Floats
    count: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: the count-weighted mean of |observed - predicted| over the bins."""
        return float(np.average(np.abs(self.observed - self.predicted), weights=self.count))


def reliability_curve(
    predicted: ArrayLike,
    observed: ArrayLike,
    *,
    bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "quantile",
    edges: ArrayLike | None = None,
) -> Reliability:
    """Mean outcome against mean prediction in bins of the prediction, both ``[N]``.

    ``uniform`` bins span the range of the predictions ([0, 1] if all lie in it, as probabilities do),
    ``quantile`` bins hold equal numbers; bins that ties leave empty vanish. ``edges`` overrules both. Works
    for probabilities and for predicted values alike.
    """
    x = as_floats(predicted, "predicted")
    y = as_floats(observed, "observed", length=len(x))
    if bins < 1:
        raise StatsError(f"bins must be at least 1, but is {bins}.")
    if edges is not None:
        borders = np.asarray(edges, dtype=np.float64)
    elif strategy == "quantile":
        borders = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)))
    elif strategy == "uniform":
        unit = x.min() >= 0 and x.max() <= 1
        borders = np.linspace(0.0 if unit else x.min(), 1.0 if unit else x.max(), bins + 1)
    else:
        raise StatsError(f"unknown strategy {strategy!r}: use uniform or quantile.")
    borders = borders if len(borders) > 1 else np.array([x.min(), x.max()])
    which = np.clip(np.searchsorted(borders, x, side="right") - 1, 0, len(borders) - 2)
    count = np.bincount(which, minlength=len(borders) - 1).astype(np.float64)
    kept = count > 0
    total = [np.bincount(which, weights=values, minlength=len(borders) - 1) for values in (x, y)]
    return Reliability(
        low=borders[:-1][kept],
        high=borders[1:][kept],
        predicted=total[0][kept] / count[kept],
        observed=total[1][kept] / count[kept],
        count=count[kept],
    )


def expected_calibration_error(
    predicted: ArrayLike,
    observed: ArrayLike,
    *,
    bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "uniform",
) -> float:
    """The expected calibration error of predictions ``[N]`` (Naeini et al. 2015; Guo et al. 2017).

    For the confidence of a classifier pass the probability of the predicted class and whether it was right.
    """
    return reliability_curve(predicted, observed, bins=bins, strategy=strategy).error
