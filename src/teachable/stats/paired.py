"""Two models on the same games and seeds: the difference, its interval, p-value and power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from teachable.stats.bootstrap import cluster_bootstrap, cluster_standard_error
from teachable.stats.core import (
    METHOD,
    REPETITIONS,
    Floats,
    Interval,
    Method,
    StatsError,
    as_floats,
    cluster_codes,
    cluster_sums,
)

EXACT_CLUSTERS = 14
"""Up to this many clusters all 2^G sign patterns are enumerated (16,384), beyond it they are sampled."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A paired difference ``mean(a) - mean(b)``, its interval, p-value, standard error, detectable effect."""

    interval: Interval
    p_value: float
    standard_error: float
    mde: float
    mean_a: float
    mean_b: float

    def row(self) -> dict[str, Any]:
        """The interval's columns plus ``p_value`` and ``mde``; NaN is stored as null."""
        extra = {"p_value": self.p_value, "mde": self.mde}
        return self.interval.row() | {k: v if math.isfinite(v) else None for k, v in extra.items()}


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Contrast:
    """The contrast of two outcomes ``a[N]`` and ``b[N]``, paired by row (same game, start and seed).

    The interval is the cluster bootstrap of the mean difference, the p-value that of :func:`sign_flip_test`,
    the detectable effect that of :func:`minimum_detectable_effect` at the cluster-robust standard error. Two
    intervals that overlap say nothing about a difference; this does (Schenker & Gentleman 2001).
    """
    left = as_floats(a, "a")
    right = as_floats(b, "b", length=len(left))
    difference = left - right
    interval = cluster_bootstrap(difference, clusters, seed=seed, level=level, repetitions=repetitions, method=method)
    error = cluster_standard_error(difference, clusters)
    return Contrast(
        interval=interval,
        p_value=sign_flip_test(difference, clusters, seed=seed, repetitions=max(repetitions, 1000)),
        standard_error=error,
        mde=minimum_detectable_effect(error, interval.clusters, alpha=alpha, power=power),
        mean_a=float(left.mean()),
        mean_b=float(right.mean()),
    )


def sign_flip_test(difference: ArrayLike, clusters: ArrayLike, *, seed: int, repetitions: int = 10_000) -> float:
    """Two-sided p-value that paired differences ``[N]`` are symmetric about 0, flipping whole clusters.

    Under the null hypothesis each game's differences are as likely as their negatives, all of one game
    together (Fisher 1935; Winkler et al. 2015 for exchangeability blocks). Up to ``EXACT_CLUSTERS`` clusters
    with a difference every pattern is enumerated; else ``repetitions`` patterns are drawn and p = (1 + as
    extreme) / (1 + drawn), which is never 0 (Phipson & Smyth 2010).
    """
    data = as_floats(difference, "difference")
    codes, groups = cluster_codes(clusters, len(data))
    sums = cluster_sums(data, codes, groups)
    sums = sums[sums != 0]  # a game without a difference is the same under either sign
    if len(sums) == 0:
        return 1.0
    observed = abs(float(sums.sum()))
    threshold = observed - 1e-9 * float(np.abs(sums).sum())  # equal patterns may differ by rounding
    if len(sums) <= EXACT_CLUSTERS:
        patterns = (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1
        return float(np.mean(np.abs((1.0 - 2.0 * patterns) @ sums) >= threshold))
    generator = np.random.default_rng(seed)
    extreme = 0
    block = max(1, (1 << 21) // len(sums))
    for start in range(0, repetitions, block):
        size = min(block, repetitions - start)
        signs = 1.0 - 2.0 * generator.integers(0, 2, size=(size, len(sums)))
        extreme += int(np.count_nonzero(np.abs(signs @ sums) >= threshold))
    return (1 + extreme) / (1 + repetitions)


def minimum_detectable_effect(error: float, clusters: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true effect a two-sided test would find with the given power, at standard error ``error``.

    ``(t_{1 - alpha/2} + t_{power}) * error`` with ``clusters - 1`` degrees of freedom (Bloom 1995), which need not be
    whole where several variances are added; NaN below two clusters.
    """
    if not 0 < alpha < 1 or not 0 < power < 1:
        raise StatsError(f"alpha and power must lie between 0 and 1, but are {alpha} and {power}.")
    if clusters < 2:
        return math.nan
    quantiles = distributions.t.ppf([1 - alpha / 2, power], clusters - 1)
    return float(quantiles.sum() * error)


def holm(p_values: ArrayLike) -> Floats:
    """P-values ``[M]`` adjusted for M tests by Holm's step-down method (Holm 1979), in the given order.

    NaN stays NaN and does not count as a test.
    """
    from statsmodels.stats.multitest import multipletests  # loads pandas, which nothing else of this room needs

    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise StatsError(f"p_values must be a vector, but have shape {p.shape}.")
    tested = np.flatnonzero(~np.isnan(p))
    if np.any((p[tested] < 0) | (p[tested] > 1)):
        raise StatsError("p-values must lie between 0 and 1.")
    adjusted = np.full(p.shape, math.nan)
    adjusted[tested] = multipletests(p[tested], method="holm")[1]
    return adjusted
