"""Closed forms: intervals of a rate, effect sizes, and calibration."""

from __future__ import annotations

import math
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


def cohens_h(rate_a: float, rate_b: float) -> float:
    """Cohen's h of two rates: ``2 asin sqrt(a) - 2 asin sqrt(b)`` (Cohen 1988, equation 6.2.1)."""
    for rate in (rate_a, rate_b):
        if not 0 <= rate <= 1:
            raise StatsError(f"a rate must lie between 0 and 1, but is {rate}.")
    return 2 * (math.asin(math.sqrt(rate_a)) - math.asin(math.sqrt(rate_b)))


def cohens_d(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's d of two independent samples with the pooled standard deviation (Cohen 1988, equation 2.5.1).

    NaN when there is no spread or a sample has one value.
    """
    left, right = as_floats(a, "a"), as_floats(b, "b")
    if len(left) < 2 or len(right) < 2:
        return math.nan
    pooled = ((len(left) - 1) * left.var(ddof=1) + (len(right) - 1) * right.var(ddof=1)) / (len(left) + len(right) - 2)
    return float((left.mean() - right.mean()) / math.sqrt(pooled)) if pooled > 0 else math.nan


def cohens_d_paired(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's d_z: mean over standard deviation of paired differences (Cohen 1988, section 2.3.5)."""
    left = as_floats(a, "a")
    difference = left - as_floats(b, "b", length=len(left))
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return float(difference.mean() / spread) if spread > 0 else math.nan


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
