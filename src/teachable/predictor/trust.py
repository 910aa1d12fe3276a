"""How far a prediction can be trusted: its interval, chances of classes, and whether a snapshot is like known ones.

All of it is calibrated on out-of-fold predictions, by game: snapshots of one game are not independent, so games, not
rows, are what is exchangeable. Needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable.predictor.plain import Plain
from teachable.predictor.sets import Floats

Ints = NDArray[np.int64]
GAMES_A_BIN = 30
MOST_BINS = 5
OUTSIDE = 0.05
"""A snapshot is outside where so small a share of known games, or less, lies as far out: its rate of false alarms."""


@dataclass(frozen=True, slots=True)
class Conformal:
    """Intervals of a predicted number, from ``residual[N]`` (truth minus out-of-fold prediction ``predicted[N]``).

    Hierarchical conformal prediction (Lee, Barber & Willett 2023; of one draw a game, Dunn, Wasserman & Ramdas 2022):
    every game has the same weight ``1 / (K + 1)``, shared by its snapshots, and the last one is infinity's, so that the
    interval of a snapshot of a new game, exchangeable with the K known ones, holds its label with the probability
    asked for. Residuals are those of cross-validation instead of a separate set (Vovk 2015; the guarantee is then
    ``2 level - 1``, Barber et al. 2021; docs/predictor.md has what was measured). The quantiles are of each bin of the
    prediction (Mondrian conformal prediction, Vovk, Gammerman & Shafer 2005): a snapshot predicted to teach nothing
    has a narrower one.
    """

    predicted: Floats
    residual: Floats
    game: Ints  # [N]
    edges: Floats  # [B - 1], ascending, between B bins of the prediction

    @classmethod
    def of(cls, predicted: Floats, truth: Floats, game: Ints) -> Conformal:
        """From out-of-fold predictions; as many bins as have some GAMES_A_BIN games, at most MOST_BINS."""
        bins = min(MOST_BINS, max(1, len(np.unique(game)) // GAMES_A_BIN))
        edges = np.unique(np.quantile(predicted, np.arange(1, bins) / bins)) if bins > 1 else np.empty(0)
        return cls(predicted, truth - predicted, game, edges)

    def interval(self, predicted: Floats, level: float, bounds: tuple[float, float]) -> tuple[Floats, Floats]:
        """Lower and upper ends ``[N]``, each missed by ``(1 - level) / 2``, cut at ``bounds``.

        Where a bin has too few games for the level, its end is the bound: nothing is known.
        """
        own, theirs = (np.searchsorted(self.edges, values, side="right") for values in (self.predicted, predicted))
        low, high = np.empty(len(predicted)), np.empty(len(predicted))
        for number in np.unique(theirs):
            here, of = theirs == number, own == number
            share = 1 - (1 - level) / 2
            low[here] = predicted[here] - quantile(-self.residual[of], self.game[of], share)
            high[here] = predicted[here] + quantile(self.residual[of], self.game[of], share)
        return np.clip(low, *bounds), np.clip(high, *bounds)


def quantile(values: Floats, game: Ints, share: float) -> float:
    """The smallest of ``values[N]`` at or below which lies ``share`` of the weight; infinity where none is.

    Each of K games weighs ``1 / (K + 1)``, the rest is infinity's.
    """
    if not len(values):
        return float("inf")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights(game)[order]) >= share - 1e-12
    return float(values[order][reached.argmax()]) if reached[-1] else float("inf")


def weights(game: Ints) -> Floats:
    """The weight ``[N]`` of each row: games weigh the same, ``1 / (K + 1)``."""
    _, code, count = np.unique(game, return_inverse=True, return_counts=True)
    return np.asarray(1 / (count[code] * (len(count) + 1)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Known:
    """What the training snapshots look like, and how far held-out ones of other games lie from them.

    The distance is Mahalanobis' (1936) of standardised features with the shrunken covariance of Ledoit & Wolf (2004);
    its p-value is conformal (Bates et al. 2023), games weighing as in :class:`Conformal`: the chance that a snapshot
    of a new game like the known ones lies as far out.
    """

    mean: Floats  # [F]
    scale: Floats  # [F]; 1 for a feature that never varied
    root: Floats  # [F, F], of the inverse covariance R R'
    distance: Floats  # [N] of held-out snapshots from the training ones of their fold
    game: Ints  # [N]

    def deviations(self, x: Floats) -> Floats:
        """Features ``[N, F]`` in standard deviations from the training mean."""
        return np.asarray((x - self.mean) / self.scale, dtype=np.float64)

    def distances(self, x: Floats) -> Floats:
        """Mahalanobis distances ``[N]``."""
        return np.asarray(np.linalg.norm(self.deviations(x) @ self.root, axis=1), dtype=np.float64)

    def chance(self, distance: Floats) -> Floats:
        """The p-value ``[N]`` of distances: between ``1 / (K + 1)`` and 1."""
        order = np.argsort(self.distance, kind="stable")
        weight = weights(self.game)[order]
        beyond = np.concatenate([np.cumsum(weight[::-1])[::-1], [0.0]])
        rest = 1 / (len(np.unique(self.game)) + 1)
        first = np.searchsorted(self.distance[order], distance, side="left")
        return np.minimum(1.0, rest + beyond[first])


@dataclass(frozen=True, slots=True)
class Trust:
    """All that is calibrated of one predictor."""

    teachability: Conformal  # of ELP_net
    known: Known
    route: Plain | None  # softmax of the logarithms of the classifier's chances; None: too few to learn it from
    quadrant: Plain | None  # softmax of predicted U and L_local above their cuts


def chances(learner: Plain, x: Floats, names: Sequence[str]) -> Floats:
    """The probability ``[N, len(names)]`` of each of ``names``; 0 for one that the learner never met."""
    found = np.zeros((len(x), len(names)))
    probability = learner.predict_proba(x)
    for column, name in enumerate(learner.classes_):
        found[:, list(names).index(name)] = probability[:, column]
    return found


def log_chances(probability: Floats, classes: Sequence[str], names: Sequence[str]) -> Floats:
    """What :attr:`Trust.route` sees ``[N, len(names)]``: logarithms, none below that of one in a million."""
    wide = np.zeros((len(probability), len(names)))
    for column, name in enumerate(classes):
        wide[:, list(names).index(str(name))] = probability[:, column]
    return np.asarray(np.log(np.maximum(wide, 1e-6)), dtype=np.float64)
