"""Correlation, partial correlation and reliability with cluster-bootstrap intervals."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

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

Kind = Literal["pearson", "spearman"]


def correlation(
    x: ArrayLike,
    y: ArrayLike,
    clusters: ArrayLike,
    *,
    kind: Kind = "pearson",
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> Interval:
    """Pearson's r or Spearman's rho of ``x[N]`` and ``y[N]``; the clusters are drawn with replacement.

    Spearman's is Pearson's r of midranks (Spearman 1904; ties share their mean rank), ranked anew in every
    draw. With a constant vector, or fewer than two clusters, what is undefined is NaN.
    """
    return partial_correlation(
        x, y, None, clusters, kind=kind, seed=seed, level=level, repetitions=repetitions, method=method
    )


def partial_correlation(
    x: ArrayLike,
    y: ArrayLike,
    covariates: ArrayLike | None,
    clusters: ArrayLike,
    *,
    kind: Kind = "spearman",
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> Interval:
    """The correlation of ``x[N]`` and ``y[N]`` with ``covariates[N]`` or ``[N, C]`` held fixed.

    From the inverse P of the correlation matrix: ``-P_xy / sqrt(P_xx P_yy)`` (Whittaker 1990, section 5.8);
    on midranks for ``kind="spearman"`` (Conover 1999, section 5.4). A covariate that determines x or y makes
    it undefined: NaN.
    """
    if kind not in ("pearson", "spearman"):
        raise StatsError(f"unknown kind of correlation {kind!r}: use pearson or spearman.")
    first = as_floats(x, "x")
    columns = [first, as_floats(y, "y", length=len(first))]
    if covariates is not None:
        extra = np.asarray(covariates, dtype=np.float64)
        extra = extra[:, None] if extra.ndim == 1 else extra
        columns.extend(check_finite(extra, "covariates", length=len(first)).T)
    data = np.stack(columns, axis=1)
    codes, groups = cluster_codes(clusters, len(data))
    weighted = _MomentStatistic(data, codes, groups) if kind == "pearson" else _RankStatistic(data, codes)
    return bootstrap_weighted(
        weighted,
        groups=groups,
        n=len(data),
        seed=seed,
        level=level,
        repetitions=repetitions,
        method=method,
        width=1 if kind == "pearson" else max(1, -(-len(data) // groups)) * data.shape[1],
    )


def spearman_difference(
    x: ArrayLike,
    other: ArrayLike,
    y: ArrayLike,
    clusters: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> Interval:
    """Spearman's rho of ``x`` with ``y`` minus that of ``other`` with ``y``, all ``[N]``, from the same draws.

    Two correlations on the same rows depend on one another: their intervals may overlap although one is surely
    larger. NaN where either is not defined.
    """
    first = as_floats(x, "x")
    data = [first, as_floats(other, "other", length=len(first)), as_floats(y, "y", length=len(first))]
    codes, groups = cluster_codes(clusters, len(first))
    one, two = (_RankStatistic(np.stack([column, data[2]], axis=1), codes) for column in data[:2])

    def weighted(weights: Floats) -> Floats:
        return one(weights) - two(weights)

    return bootstrap_weighted(
        weighted,
        groups=groups,
        n=len(first),
        seed=seed,
        level=level,
        repetitions=repetitions,
        method=method,
        width=4 * max(1, -(-len(first) // groups)),
    )


class _MomentStatistic:
    """Partial correlation as a function of cluster weights, from sums of products of each cluster."""

    def __init__(self, data: Floats, codes: Ints, groups: int) -> None:
        centred = data - data.mean(axis=0)  # sums of squares of raw values would cancel
        scale = centred.std(axis=0)
        centred = centred / np.where(scale > 0, scale, 1.0)
        self.columns = data.shape[1]
        self.upper = np.triu_indices(self.columns)
        products = centred[:, self.upper[0]] * centred[:, self.upper[1]]
        ones = np.ones((len(data), 1))
        self.sums = cluster_sums(np.concatenate([ones, centred, products], axis=1), codes, groups)

    def __call__(self, weights: Floats) -> Floats:
        totals = weights @ self.sums
        means = totals[:, 1 : self.columns + 1] / totals[:, :1]
        moments = np.empty((len(weights), self.columns, self.columns))
        moments[:, self.upper[0], self.upper[1]] = totals[:, self.columns + 1 :] / totals[:, :1]
        moments[:, self.upper[1], self.upper[0]] = moments[:, self.upper[0], self.upper[1]]
        return partial_from_covariance(moments - means[:, :, None] * means[:, None, :])


class _RankStatistic:
    """The same on midranks; the ranks of a draw come from cumulated weights over values sorted once."""

    def __init__(self, data: Floats, codes: Ints) -> None:
        self.codes = codes
        self.orders, self.starts, self.places = [], [], []
        for column in data.T:
            order = np.argsort(column, kind="stable")
            _, start, inverse = np.unique(column[order], return_index=True, return_inverse=True)
            place = np.empty(len(column), dtype=np.int64)
            place[order] = inverse
            self.orders.append(order)
            self.starts.append(start)
            self.places.append(place)

    def __call__(self, weights: Floats) -> Floats:
        rows = weights[:, self.codes]
        total = rows.sum(axis=1, keepdims=True)
        ranks = np.stack(
            [
                weighted_midranks(rows, order, start, place)
                for order, start, place in zip(self.orders, self.starts, self.places, strict=True)
            ],
            axis=2,
        )
        ranks -= (total[:, :, None] + 1) / 2  # the mean midrank
        ranks /= np.maximum(total[:, :, None], 1)
        return partial_from_covariance(np.einsum("rn,rni,rnj->rij", rows, ranks, ranks, optimize=True))


def weighted_midranks(rows: Floats, order: Ints, start: Ints, place: Ints) -> Floats:
    """Midranks ``[R, N]`` of N values repeated ``rows[R, N]`` times.

    ``order`` sorts the values, ``start`` says where each distinct value begins in that order, ``place`` which
    distinct value each observation has.
    """
    weight = np.add.reduceat(rows[:, order], start, axis=1)
    return (np.cumsum(weight, axis=1) - (weight - 1) / 2)[:, place]


def partial_from_covariance(covariance: Floats) -> Floats:
    """The correlation of the first two variables given the rest, NaN if undefined; input ``[R, V, V]``."""
    spread = np.sqrt(np.clip(np.einsum("rii->ri", covariance), 0, None))
    defined = (spread > 1e-9).all(axis=1)
    result = np.full(len(covariance), math.nan)
    matrix = covariance[defined] / (spread[defined][:, :, None] * spread[defined][:, None, :])
    if covariance.shape[1] == 2:
        result[defined] = np.clip(matrix[:, 0, 1], -1.0, 1.0)
        return result
    rest = matrix[:, 2:, 2:]
    cross = matrix[:, 2:, :2]
    # A pseudo-inverse, because covariates that repeat one another are no reason to give up.
    explained = np.swapaxes(cross, 1, 2) @ np.linalg.pinv(rest, rcond=1e-9, hermitian=True) @ cross
    left = matrix[:, :2, :2] - explained
    scale = np.sqrt(np.clip(left[:, 0, 0] * left[:, 1, 1], 0, None))
    value = np.full(len(left), math.nan)
    known = np.minimum(left[:, 0, 0], left[:, 1, 1]) > 1e-9
    value[known] = np.clip(left[known, 0, 1] / scale[known], -1.0, 1.0)
    result[defined] = value
    return result


def reliability_of_halves(
    first: ArrayLike,
    second: ArrayLike,
    clusters: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> Interval:
    """The Spearman-Brown reliability of a quantity computed on two independent halves, ``[N]`` each.

    For quantities that are not means of repeats, such as the best patch's gain.
    """
    data = np.stack([as_floats(first, "first"), as_floats(second, "second", length=np.size(first))], axis=1)
    codes, groups = cluster_codes(clusters, len(data))
    statistic = _MomentStatistic(data, codes, groups)

    def weighted(weights: Floats) -> Floats:
        return spearman_brown(statistic(weights))

    return bootstrap_weighted(
        weighted, groups=groups, n=len(data), seed=seed, level=level, repetitions=repetitions, method=method
    )


def spearman_brown(r: Floats) -> Floats:
    """The reliability of twice the length of halves that correlate at ``r``: ``2 r / (1 + r)``.

    A negative correlation of halves means no reliability is seen; it is returned as it is, for the formula
    would exaggerate it.
    """
    return np.where(r > 0, 2 * r / (1 + np.maximum(r, 0)), r)
