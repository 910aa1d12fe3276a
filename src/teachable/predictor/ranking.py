"""Ranking metrics as functions of cluster weights, for intervals by a vectorised cluster bootstrap.

A weight is how often a snapshot's game was drawn; a snapshot drawn twice is there twice. Equal scores are
ranked in every order at once: a metric is its expectation over random orders within ties (McSherry & Najork
2008), so a rival with few distinct values is neither favoured nor punished by the order of a file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from teachable.predictor.sets import Floats

Statistic = Callable[[Floats], Floats]
_DIGITS = 12
"""Scores and truths that agree to this many digits are ties."""


class Order:
    """Values in descending order, with ties grouped."""

    def __init__(self, values: Floats) -> None:
        rounded = -np.round(values, _DIGITS)
        self.order: NDArray[np.intp] = np.argsort(rounded, kind="stable")
        _, self.start, inverse = np.unique(rounded[self.order], return_index=True, return_inverse=True)
        self.place = np.empty(len(values), dtype=np.intp)
        self.place[self.order] = inverse

    def totals(self, rows: Floats) -> Floats:
        """Sums ``[R, T]`` of ``rows[R, N]`` over each group of ties, best first."""
        return np.asarray(np.add.reduceat(rows[:, self.order], self.start, axis=1), dtype=np.float64)

    def slots(self, weight: Floats, k: int, cumulated: Floats) -> Floats:
        """What the positions up to ``k`` that each group of ties fills are worth, ``[R, T]``.

        ``cumulated[i]`` is the worth of the first i positions, for i from 0 to k.
        """
        after = np.cumsum(weight, axis=1)
        last = np.minimum(after, k).astype(np.int64)
        first = np.minimum(after - weight, k).astype(np.int64)
        return np.asarray(cumulated[last] - cumulated[first], dtype=np.float64)


def _gathered(order: Order, rows: Floats, gain: Floats, k: int, cumulated: Floats) -> Floats:
    """Expected discounted gain ``[R]`` of the first ``k`` positions; ``gain`` is ``[N]`` or ``[R, N]``."""
    weight = order.totals(rows)
    total = order.totals(rows * gain)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return np.asarray((mean * order.slots(weight, k, cumulated)).sum(axis=1), dtype=np.float64)


def ndcg(score: Floats, truth: Floats, codes: NDArray[np.int64], k: int) -> Statistic:
    """NDCG@k of ranking by ``score[N]``; a snapshot's gain is its true value, or 0 if that is negative.

    ``DCG@k = sum_{i<=k} gain_i / log2(i + 1)`` over the best possible one (Järvelin & Kekäläinen 2002, linear
    gain: ELP is already a gain in probability). NaN where nothing can be gained. ``codes[N]`` is the cluster
    of each snapshot.
    """
    gain = np.maximum(truth, 0.0)
    ranked, ideal = Order(score), Order(gain)
    cumulated = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])

    def statistic(weights: Floats) -> Floats:
        rows = weights[:, codes]
        best = _gathered(ideal, rows, gain, k, cumulated)
        got = _gathered(ranked, rows, gain, k, cumulated)
        return np.asarray(np.divide(got, best, out=np.full(len(best), np.nan), where=best > 1e-12))

    return statistic


def precision(score: Floats, truth: Floats, codes: NDArray[np.int64], k: int) -> Statistic:
    """Precision@k: the share of the first ``k`` by ``score`` that are among the true first ``k``.

    A tie at the border of the true first k counts by the share of it that has room.
    """
    ranked, ideal = Order(score), Order(truth)
    cumulated = np.arange(k + 1, dtype=np.float64)

    def statistic(weights: Floats) -> Floats:
        rows = weights[:, codes]
        weight = ideal.totals(rows)
        room = ideal.slots(weight, k, cumulated)
        share = np.divide(room, weight, out=np.zeros_like(room), where=weight > 0)
        hits = _gathered(ranked, rows, share[:, ideal.place], k, cumulated)
        return np.asarray(hits / np.maximum(1.0, np.minimum(k, rows.sum(axis=1))), dtype=np.float64)

    return statistic


def mean_of(statistics: list[Statistic]) -> Statistic:
    """The mean of several statistics of the same snapshots, e.g. over draws of a random ranking."""

    def statistic(weights: Floats) -> Floats:
        return np.asarray(np.mean([each(weights) for each in statistics], axis=0), dtype=np.float64)

    return statistic


def difference(first: Statistic, second: Statistic) -> Statistic:
    """``first - second`` on the same draws: a paired difference."""

    def statistic(weights: Floats) -> Floats:
        return np.asarray(first(weights) - second(weights), dtype=np.float64)

    return statistic
