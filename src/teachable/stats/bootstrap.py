"""Intervals of means, ratios, contrasts of groups and any statistic; games are the independent units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from teachable.stats.core import (
    METHOD,
    REPETITIONS,
    Floats,
    Interval,
    Ints,
    Method,
    StatsError,
    as_floats,
    bootstrap_weighted,
    check_finite,
    cluster_codes,
    cluster_sums,
)

Statistic = Callable[[Floats], float]


def cluster_bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    statistic: Literal["mean"] | Statistic = "mean",
    *,
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> Interval:
    """The interval of a statistic of ``values`` when whole clusters are drawn with replacement.

    ``values`` is ``[N]``, or ``[N, D]`` for a statistic that needs several columns; ``clusters`` is ``[N]``,
    any hashable ids. A callable gets the drawn rows (a row appears once for each time its cluster was drawn)
    and returns a number; it is called once a draw, the mean needs no such loop. See
    :func:`~teachable.stats.core.bootstrap_weighted` for the methods, their sources, and what happens with one
    cluster (bounds NaN). Empty input, missing values and missing cluster ids raise :class:`StatsError`.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.ndim not in (1, 2):
        raise StatsError(f"values must be a vector or a matrix, but have shape {data.shape}.")
    check_finite(data, "values")
    if statistic == "mean":
        return cluster_ratio(
            data, np.ones(len(data)), clusters, seed=seed, level=level, repetitions=repetitions, method=method
        )
    if isinstance(statistic, str):
        raise StatsError(f"unknown statistic {statistic!r}: use 'mean' or give a function.")
    function = statistic
    codes, groups = cluster_codes(clusters, len(data))

    def weighted(weights: Floats) -> Floats:
        return np.array([_of_rows(function, data, codes, row) for row in weights])

    return bootstrap_weighted(
        weighted, groups=groups, n=len(data), seed=seed, level=level, repetitions=repetitions, method=method
    )


def _of_rows(function: Statistic, data: Floats, codes: Ints, weights: Floats) -> float:
    return float(function(np.repeat(data, weights.astype(np.int64)[codes], axis=0)))


def cluster_ratio(
    numerator: ArrayLike,
    denominator: ArrayLike,
    clusters: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> Interval:
    """The interval of ``sum(numerator) / sum(denominator)``, e.g. repeated commands over steps; both ``[N]``.

    A draw whose denominator is 0 is left out.
    """
    top = as_floats(numerator, "values")
    bottom = as_floats(denominator, "denominator", length=len(top))
    codes, groups = cluster_codes(clusters, len(top))
    sums = cluster_sums(np.stack([top, bottom], axis=1), codes, groups)

    def weighted(weights: Floats) -> Floats:
        return safe_divide(*(weights @ sums).T)

    return bootstrap_weighted(
        weighted, groups=groups, n=len(top), seed=seed, level=level, repetitions=repetitions, method=method
    )


def safe_divide(top: Floats, bottom: Floats) -> Floats:
    """``top / bottom``, NaN where the bottom is 0."""
    return np.divide(top, bottom, out=np.full(np.shape(top), math.nan), where=bottom != 0)


def cluster_standard_error(values: ArrayLike, clusters: ArrayLike) -> float:
    """The cluster-robust standard error of the mean of ``values[N]``; NaN for one cluster.

    The sandwich estimator for a regression on a constant with the G/(G-1) correction (Liang & Zeger 1986;
    Cameron & Miller 2015, equation 11).
    """
    data = as_floats(values, "values")
    codes, groups = cluster_codes(clusters, len(data))
    return _sandwich(cluster_sums(data - data.mean(), codes, groups) / len(data))


def _sandwich(influence: Floats) -> float:
    groups = len(influence)
    if groups < 2:
        return math.nan
    return math.sqrt(groups / (groups - 1) * float((influence**2).sum()))


def group_contrast(
    values: ArrayLike,
    groups: ArrayLike,
    clusters: ArrayLike,
    coefficients: Mapping[str, float],
    *,
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> tuple[Interval, float, float]:
    """A contrast ``sum_c coefficient_c * mean(values of group c)``: its interval, p-value and standard error.

    For comparisons between kinds of observation that share games, such as Q1 against Q2 (``{"Q1": 1, "Q2":
    -1}``) or the diagonal of the transfer matrix against the rest. ``values`` and ``groups`` are ``[N]``;
    rows of groups without a coefficient are not used. Games are drawn whole, so groups that share games stay
    dependent. The p-value is that of a t test with G-1 degrees of freedom on the cluster-robust (linearised)
    standard error. A draw that misses a group is left out; a group without any row raises.
    """
    data = as_floats(values, "values")
    labels = np.asarray(groups, dtype=object)
    if labels.shape != data.shape:
        raise StatsError(f"groups has shape {labels.shape} where one for each of {len(data)} observations is expected.")
    names = list(coefficients)
    member = np.stack([np.array([label == name for label in labels]) for name in names], axis=1)
    absent = [name for name, rows in zip(names, member.T, strict=True) if not rows.any()]
    if absent:
        raise StatsError(f"no observation in the groups {absent}: the contrast is not defined.")
    used = member.any(axis=1)
    data, member = data[used], member[used].astype(np.float64)
    codes, count = cluster_codes(np.asarray(clusters, dtype=object)[used], len(data))
    coefficient = np.array([coefficients[name] for name in names], dtype=np.float64)
    sums = cluster_sums(member * data[:, None], codes, count)
    sizes = cluster_sums(member, codes, count)

    def weighted(weights: Floats) -> Floats:
        return safe_divide(weights @ sums, weights @ sizes) @ coefficient

    interval = bootstrap_weighted(
        weighted, groups=count, n=len(data), seed=seed, level=level, repetitions=repetitions, method=method
    )
    means = sums.sum(0) / sizes.sum(0)
    error = _sandwich(((sums - means * sizes) / sizes.sum(0)) @ coefficient)
    return interval, t_test(interval.point, error, count), error


def t_test(estimate: float, error: float, clusters: int) -> float:
    """Two-sided p-value of ``estimate`` against 0 with ``clusters - 1`` degrees of freedom.

    NaN without a standard error.
    """
    if clusters < 2 or not math.isfinite(error):
        return math.nan
    if error == 0:
        return 1.0 if estimate == 0 else 0.0
    return float(2 * distributions.t.sf(abs(estimate / error), clusters - 1))
