"""Metrics of predicted numbers and classes as functions of cluster weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachable.predictor.ranking import Statistic
from teachable.predictor.sets import Floats


def _sums(columns: Sequence[Floats], codes: NDArray[np.int64]) -> Floats:
    groups = int(codes.max()) + 1
    return np.stack([np.bincount(codes, weights=column, minlength=groups) for column in columns], axis=1)


def r2(score: Floats, truth: Floats, codes: NDArray[np.int64]) -> Statistic:
    """``1 - sum (y - p)^2 / sum (y - mean y)^2``; negative when worse than predicting the mean."""
    centre = truth - truth.mean()
    sums = _sums([np.ones_like(truth), centre, centre**2, (truth - score) ** 2], codes)

    def statistic(weights: Floats) -> Floats:
        count, total, square, error = (weights @ sums).T
        spread = square - total**2 / np.maximum(count, 1)
        return np.asarray(1 - np.divide(error, spread, out=np.full(len(error), np.nan), where=spread > 1e-12))

    return statistic


def mae(score: Floats, truth: Floats, codes: NDArray[np.int64]) -> Statistic:
    """The mean absolute error, in units of the target."""
    sums = _sums([np.ones_like(truth), np.abs(truth - score)], codes)

    def statistic(weights: Floats) -> Floats:
        count, error = (weights @ sums).T
        return np.asarray(error / count)

    return statistic


def accuracy(label: NDArray[np.str_], truth: NDArray[np.str_], codes: NDArray[np.int64]) -> Statistic:
    """The share of snapshots given the right class."""
    sums = _sums([np.ones(len(label)), (label == truth).astype(np.float64)], codes)

    def statistic(weights: Floats) -> Floats:
        count, hits = (weights @ sums).T
        return np.asarray(hits / count)

    return statistic


def balanced_accuracy(label: NDArray[np.bool_], truth: NDArray[np.bool_], codes: NDArray[np.int64]) -> Statistic:
    """The mean of the shares of true and of false ones told right; chance is 1/2 whatever their numbers.

    A draw without one of the two is not defined.
    """
    hits, high = (label == truth).astype(np.float64), truth.astype(np.float64)
    sums = _sums([high, high * hits, 1.0 - high, (1.0 - high) * hits], codes)

    def statistic(weights: Floats) -> Floats:
        total = weights @ sums
        found, spared = (
            np.divide(total[:, k + 1], total[:, k], out=np.full(len(total), np.nan), where=total[:, k] > 0)
            for k in (0, 2)
        )
        return np.asarray((found + spared) / 2)

    return statistic


def macro_f1(label: NDArray[np.str_], truth: NDArray[np.str_], codes: NDArray[np.int64]) -> Statistic:
    """The mean of F1 over classes in truth or prediction, as scikit-learn's ``f1_score(average="macro")``.

    In a draw, a class that is in neither is left out of the mean.
    """
    classes = np.unique(np.concatenate([label, truth]))
    columns: list[Floats] = []
    for name in classes:
        columns += [((label == name) & (truth == name)).astype(np.float64)]
        columns += [(label == name).astype(np.float64) + (truth == name)]
    sums = _sums(columns, codes)

    def statistic(weights: Floats) -> Floats:
        totals = weights @ sums
        hits, size = totals[:, 0::2], totals[:, 1::2]
        f1 = np.divide(2 * hits, size, out=np.zeros_like(hits), where=size > 0)
        return np.asarray(f1.sum(axis=1) / np.maximum(1, (size > 0).sum(axis=1)))

    return statistic


def binned_error(score: Floats, truth: Floats, edges: Floats, codes: NDArray[np.int64]) -> Statistic:
    """The calibration error over fixed bins of the score (see ``stats.expected_calibration_error``)."""
    which = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)
    sums = _sums([(which == b) * (truth - score) for b in range(len(edges) - 1)] + [np.ones_like(score)], codes)

    def statistic(weights: Floats) -> Floats:
        totals = weights @ sums
        return np.asarray(np.abs(totals[:, :-1]).sum(axis=1) / totals[:, -1])

    return statistic
