"""Whether two samples of one quantity differ in distribution, with games as the independent units."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats as distributions

from teachable.stats.core import (
    REPETITIONS,
    Floats,
    Interval,
    Ints,
    StatsError,
    as_floats,
    bootstrap_weighted,
    cluster_codes,
    cluster_sums,
)

BINS = 10
_SMOOTHING = 0.5  # of an observation in every bin, or an empty one would make the index infinite


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a sample has moved from a reference.

    ``stability`` is the population stability index with its interval, ``chance`` what it exceeds in one of twenty
    samples without any shift; ``distance`` the Kolmogorov-Smirnov statistic, ``p`` its p-value with observations taken
    as independent, ``p_clusters`` that of the test that swaps whole clusters.
    """

    stability: Interval
    chance: float
    distance: float
    p: float
    p_clusters: float


def distribution_shift(
    reference: ArrayLike,
    sample: ArrayLike,
    reference_clusters: ArrayLike,
    sample_clusters: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
) -> Shift:
    """Both measures of ``sample[M]`` against ``reference[N]``; a cluster may have observations in either or both.

    The index is ``sum (q - p) ln(q / p)`` over the shares p of the reference and q of the sample in :data:`BINS` bins
    cut at the reference's quantiles (Siddiqi 2006, "Credit Risk Scorecards", chapter 9); equal quantiles share a bin,
    and every bin holds half an observation more. Its usual marks of .1 and .25 are for thousands of observations:
    without a shift it is about chi-squared with B - 1 degrees of freedom times ``1/N + 1/M`` (Yurdakul & Naranjo 2020,
    "Statistical properties of the population stability index"), of which ``chance`` is the 95 % point. The interval
    draws clusters, is centred on the index, which resampling inflates, and cut at 0.

    ``p`` is :func:`scipy.stats.ks_2samp`'s. Observations of a game are not independent; ``p_clusters`` is therefore
    that of a randomisation test of the same distance in which every cluster gives its reference's observations for its
    sample's, or does not (``(1 + as large) / (1 + draws)``, Phipson & Smyth 2010).

    Raises :class:`StatsError` for an empty sample, a value that is not finite, or a missing cluster.
    """
    first, second = as_floats(reference, "reference"), as_floats(sample, "sample")
    names = np.concatenate([np.asarray(c, dtype=object) for c in (reference_clusters, sample_clusters)])
    if len(names) != len(first) + len(second):
        raise StatsError(f"{len(names)} clusters are given for {len(first)} + {len(second)} observations.")
    codes, groups = cluster_codes(names, len(names))
    bins = quantile_bins(first)
    counts = [
        cluster_sums(np.eye(len(bins) + 1)[np.searchsorted(bins, values)], own, groups)
        for values, own in ((first, codes[: len(first)]), (second, codes[len(first) :]))
    ]

    def weighted(weights: Floats) -> Floats:
        return stability_index(*(weights @ each for each in counts))

    tested = distributions.ks_2samp(first, second)
    stability = bootstrap_weighted(
        weighted,
        groups=groups,
        n=len(names),
        seed=seed,
        level=level,
        repetitions=repetitions,
        method="centred",
        width=len(bins) + 1,
    )
    return Shift(
        replace(stability, low=_cut(stability.low), high=_cut(stability.high)),
        float(distributions.chi2.ppf(0.95, len(bins)) * (1 / len(first) + 1 / len(second))),
        float(tested.statistic),
        float(tested.pvalue),
        _swapped(np.concatenate([first, second]), len(first), codes, groups, seed, repetitions),
    )


def _cut(bound: float) -> float:
    """An index is 0 at least; NaN stays."""
    return bound if math.isnan(bound) else max(0.0, bound)


def quantile_bins(reference: Floats) -> Floats:
    """Inner edges of at most :data:`BINS` bins that cut ``reference[N]`` into equal parts; a value at an edge is below
    it, and equal edges are one."""
    return np.unique(np.quantile(reference, np.arange(1, BINS) / BINS, method="inverted_cdf"))


def stability_index(reference: Floats, sample: Floats) -> Floats:
    """The population stability index of counts ``[..., B]``, NaN where either side has none."""
    sides = []
    for counts in (reference, sample):
        total = counts.sum(axis=-1, keepdims=True)
        share = (counts + _SMOOTHING) / (total + _SMOOTHING * counts.shape[-1])
        sides.append(np.where(total > 0, share, math.nan))
    before, after = sides
    return np.asarray(((after - before) * np.log(after / before)).sum(axis=-1), dtype=np.float64)


def _swapped(values: Floats, size: int, codes: Ints, groups: int, seed: int, draws: int) -> float:
    """The p-value of the distance between the first ``size`` of ``values[N]`` and the others when clusters swap
    sides; NaN with fewer than two clusters."""
    if groups < 2:
        return math.nan
    order = np.argsort(values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) > 0, True))  # of each distinct value
    mine = (np.arange(len(values)) < size)[order]
    where = codes[order]

    def distances(swap: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Floats:
        inside = mine ^ swap[:, where]
        sides = [np.cumsum(side, axis=1)[:, last] for side in (inside, ~inside)]
        shares = [side / np.maximum(side[:, -1:], 1) for side in sides]
        return np.asarray(np.abs(shares[0] - shares[1]).max(axis=1), dtype=np.float64)

    observed = distances(np.zeros((1, groups), dtype=np.bool_))[0]
    generator = np.random.default_rng([seed, 2])
    larger = 0
    for start in range(0, draws, 512):
        swap = generator.random((min(512, draws - start), groups)) < 0.5
        larger += int((distances(swap) >= observed - 1e-12).sum())
    return (1 + larger) / (1 + draws)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values ``[N]`` that control the false discovery rate (Benjamini & Hochberg 1995); NaN stays NaN and
    counts as no test."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, math.nan)
    tested = np.isfinite(p)
    if tested.any():
        adjusted[tested] = distributions.false_discovery_control(p[tested], method="bh")
    return adjusted
