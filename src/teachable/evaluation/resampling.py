"""Cluster bootstrap and sign-flip tests of many ratios at once.

The same statistics as ``teachable.stats`` computes one at a time, for hundreds of columns (models x
metrics, or pairs x metrics) that share their games: the draws are made once and every column is a matrix
product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable import stats
from teachable.stats.paired import EXACT_CLUSTERS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: named as in the stored columns."""

    level: float = 0.95
    repetitions: int = stats.REPETITIONS

    @property
    def method(self) -> str:
        """The name stored with every interval."""
        return f"cluster_bootstrap_percentile_{self.level * 100:g}"


@dataclass(frozen=True, slots=True)
class Games:
    """The games of N slots, and draws of whole games with replacement."""

    codes: Ints  # [N]
    count: int  # G
    weights: Floats  # [R, G]
    seed: int
    settings: Resampling

    @classmethod
    def draw(cls, games: Sequence[str], seed: int, settings: Resampling) -> Games:
        """Draw ``settings.repetitions`` samples of the games in ``games[N]``."""
        codes, count = stats.cluster_codes(np.asarray(games, dtype=object), len(games))
        weights = np.concatenate(list(stats.cluster_draws(count, settings.repetitions, seed)))
        return cls(codes, count, weights, seed, settings)

    def sums(self, values: Floats) -> Floats:
        """Sums ``[G, C]`` over the slots of each game of ``values[N, C]``; NaN counts as nothing."""
        order = np.argsort(self.codes, kind="stable")
        starts = np.searchsorted(self.codes[order], np.arange(self.count))
        return np.asarray(np.add.reduceat(np.nan_to_num(values[order]), starts, axis=0))

    def intervals(self, point: Floats, draws: Floats, clusters: Ints, n: Ints) -> list[stats.Interval]:
        """Percentile intervals of ``draws[R, C]`` around ``point[C]``.

        Bounds are NaN where a column has fewer than two games or fewer than half of its draws are defined.
        """
        tails = [(1 - self.settings.level) / 2, (1 + self.settings.level) / 2]
        defined = np.isfinite(draws)
        known = defined.sum(axis=0)
        usable = (clusters >= 2) & np.isfinite(point) & (known >= self.settings.repetitions / 2)
        bounds = np.full((2, draws.shape[1]), math.nan)
        whole = usable & (known == len(draws))
        if whole.any():
            bounds[:, whole] = np.quantile(draws[:, whole], tails, axis=0)
        for column in np.flatnonzero(usable & ~whole):
            bounds[:, column] = np.quantile(draws[defined[:, column], column], tails)
        return [
            stats.Interval(
                float(point[c]),
                float(bounds[0, c]),
                float(bounds[1, c]),
                self.settings.method,
                int(known[c]) if usable[c] else 0,
                self.seed,
                int(clusters[c]),
                int(n[c]),
            )
            for c in range(draws.shape[1])
        ]

    def ratios(self, top: Floats, bottom: Floats) -> list[stats.Interval]:
        """Intervals of ``sum(top) / sum(bottom)`` for each column of ``[N, C]``; NaN slots are left out."""
        top, bottom = _without_missing(top, bottom)
        tops, bottoms = self.sums(top), self.sums(bottom)
        point = divide(tops.sum(axis=0), bottoms.sum(axis=0))
        draws = divide(self.weights @ tops, self.weights @ bottoms)
        present = ~np.isnan(top)
        return self.intervals(point, draws, self._present(present), present.sum(axis=0))

    def _present(self, present: NDArray[np.bool_]) -> Ints:
        """Games with at least one slot, of each column."""
        return np.asarray((self.sums(present.astype(np.float64)) > 0).sum(axis=0), dtype=np.int64)

    def differences(
        self, top_a: Floats, bottom_a: Floats, top_b: Floats, bottom_b: Floats
    ) -> list[tuple[stats.Interval, float, float]]:
        """Paired ``ratio(a) - ratio(b)`` of each column of ``[N, C]``: interval, p-value, minimum
        detectable effect.

        Only slots that both sides have count. The p-value flips the signs of whole games
        (``stats.sign_flip_test``) on each game's part in the difference, taken at the pooled ratio; for
        equal numbers of episodes that is the difference of the game's sums itself. The detectable effect is
        at the linearised, cluster-robust error.
        """
        both = ~(np.isnan(top_a) | np.isnan(bottom_a) | np.isnan(top_b) | np.isnan(bottom_b))
        parts = [self.sums(np.where(both, side, np.nan)) for side in (top_a, bottom_a, top_b, bottom_b)]
        a, a_size, b, b_size = parts
        ratio_a, ratio_b = divide(a.sum(0), a_size.sum(0)), divide(b.sum(0), b_size.sum(0))
        draws = divide(self.weights @ a, self.weights @ a_size) - divide(self.weights @ b, self.weights @ b_size)
        clusters = self._present(both)
        intervals = self.intervals(ratio_a - ratio_b, draws, clusters, both.sum(axis=0))
        pooled = divide(a.sum(0) + b.sum(0), a_size.sum(0) + b_size.sum(0))
        scores = divide(a - pooled * a_size, a_size.sum(0)) - divide(b - pooled * b_size, b_size.sum(0))
        linear = divide(a - ratio_a * a_size, a_size.sum(0)) - divide(b - ratio_b * b_size, b_size.sum(0))
        p_values = self.sign_flips(np.nan_to_num(scores))
        return [
            (
                interval,
                float(p_values[c]) if math.isfinite(interval.point) else math.nan,
                detectable(linear[:, c], int(clusters[c]), self.settings.level),
            )
            for c, interval in enumerate(intervals)
        ]

    def sign_flips(self, scores: Floats) -> Floats:
        """Two-sided sign-flip p-values ``[C]`` of ``scores[G, C]``, one number a game whose sum is the
        effect."""
        repetitions = max(self.settings.repetitions, 1000)
        active = (scores != 0).sum(axis=0)
        result = np.ones(scores.shape[1])
        few = np.flatnonzero((active > 0) & (active <= EXACT_CLUSTERS))
        names = np.arange(self.count)
        for c in few:  # every pattern is enumerated there
            result[c] = stats.sign_flip_test(scores[:, c], names, seed=self.seed)
        many = np.flatnonzero(active > EXACT_CLUSTERS)
        if len(many):
            part = scores[:, many]
            threshold = np.abs(part.sum(axis=0)) - 1e-9 * np.abs(part).sum(axis=0)
            generator = np.random.default_rng(self.seed)
            extreme = np.zeros(len(many), dtype=np.int64)
            block = max(1, (1 << 21) // self.count)
            for start in range(0, repetitions, block):
                shape = (min(block, repetitions - start), self.count)
                signs = 1.0 - 2.0 * generator.integers(0, 2, size=shape)
                extreme += np.count_nonzero(np.abs(signs @ part) >= threshold, axis=0)
            result[many] = (1 + extreme) / (1 + repetitions)
        return result


def divide(top: Floats, bottom: Floats) -> Floats:
    """``top / bottom``, NaN where the bottom is 0."""
    shape = np.broadcast_shapes(np.shape(top), np.shape(bottom))
    result: Floats = np.full(shape, math.nan)
    np.divide(top, bottom, out=result, where=np.broadcast_to(bottom != 0, shape))
    return result


def detectable(influence: Floats, clusters: int, level: float) -> float:
    """The minimum detectable effect at 80 % power from each game's influence ``[G]`` on the estimate."""
    if clusters < 2 or not np.isfinite(influence).all():
        return math.nan
    error = math.sqrt(clusters / (clusters - 1) * float((influence**2).sum()))
    return stats.minimum_detectable_effect(error, clusters, alpha=1 - level)


def _without_missing(top: Floats, bottom: Floats) -> tuple[Floats, Floats]:
    missing = np.isnan(top) | np.isnan(bottom)
    return np.where(missing, np.nan, top), np.where(missing, np.nan, bottom)


def finite_or_none(value: float) -> float | None:
    """NaN and infinities as null, for a table."""
    return value if math.isfinite(value) else None
