"""A fitted predictor: what it sees of a snapshot and what it says. Needs numpy alone, whoever fitted it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from teachable.predictor.features import group_of
from teachable.predictor.projection import Projection
from teachable.predictor.sets import FeatureSet, Floats

NUMBERS = ("ELP_net", "L_local", "L_upper", "U", "d_expert", "d_force")
CLASSES = ("route",)
TIERS = ("tier1", "tier2")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A learner fitted to one target, and its predictions for training rows when they were held out."""

    name: str
    model: Any  # of scikit-learn, or one of teachable.predictor.plain
    held_out: Floats | None  # regression: [N] inner out-of-fold predictions; None where the games were too few

    def values(self, x: Floats) -> Floats:
        """Predicted numbers ``[N]``."""
        return np.asarray(self.model.predict(x), dtype=np.float64)

    def classes(self, x: Floats) -> tuple[NDArray[np.str_], Floats]:
        """Predicted class ``[N]`` and its probability ``[N]``."""
        probability = self.probabilities(x)
        best = probability.argmax(axis=1)
        return self.names[best], probability[np.arange(len(x)), best]

    def probabilities(self, x: Floats) -> Floats:
        """Probability ``[N, K]`` of each class, in the order of ``names``."""
        return np.asarray(self.model.predict_proba(x), dtype=np.float64)

    @property
    def names(self) -> NDArray[np.str_]:
        """The classes ``[K]`` of a classifier."""
        return np.asarray(self.model.classes_, dtype=np.str_)


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted predictor. Made by :func:`teachable.predictor.model.fit`, or read from a file that keeps one."""

    tiers: tuple[str, ...]
    projection: Projection
    names: tuple[str, ...]
    fitted: Mapping[str, Fitted]
    cuts: Mapping[str, float]  # of predicted U and L_local, above which a snapshot counts as high

    @property
    def groups(self) -> dict[str, NDArray[np.int64]]:
        """Columns of the design matrix by group of features."""
        groups: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            groups.setdefault(group_of(name), []).append(i)
        return {group: np.asarray(columns) for group, columns in groups.items()}

    def design(self, features: FeatureSet) -> Floats:
        """The matrix ``[N, F]`` the learners see, columns in the order of ``names``."""
        return design(features, self.projection, self.tiers)

    def number(self, target: str, x: Floats) -> Floats:
        """Predicted numbers ``[N]`` of a target for rows of the design matrix."""
        return self.fitted[target].values(x)

    def predict(self, features: FeatureSet) -> dict[str, tuple[Floats | None, NDArray[np.str_] | None]]:
        """For each target the score ``[N]`` (value, or the class's probability) and, for a class, the label.

        The quadrant follows from predicted U and L_local and has no probability of its own.
        """
        with threadpool_limits(limits=1):  # one thread always sums in one order
            return self.predict_design(self.design(features))

    def predict_design(self, x: Floats) -> dict[str, tuple[Floats | None, NDArray[np.str_] | None]]:
        """:meth:`predict` for rows ``[N, F]`` of the design matrix."""
        result: dict[str, tuple[Floats | None, NDArray[np.str_] | None]] = {}
        for target, fitted in self.fitted.items():
            if target in CLASSES:
                label, probability = fitted.classes(x)
                result[target] = (probability, label)
            else:
                result[target] = (fitted.values(x), None)
        if self.cuts:
            high = {name: self.number(name, x) > cut for name, cut in self.cuts.items()}
            result["quadrant"] = (None, quadrants(high["U"], high["L_local"]))
        return result


def quadrants(high_u: NDArray[np.bool_], high_l: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Q1 high U high L, Q2 high U low L, Q3 low U low L, Q4 low U high L."""
    return np.select([high_u & high_l, high_u, high_l], ["Q1", "Q2", "Q4"], "Q3").astype(np.str_)


def design(features: FeatureSet, projection: Projection, tiers: Sequence[str]) -> Floats:
    """Tier 1 columns, then the projected tier 2 columns, as ``tiers`` says."""
    blocks = [features.table] if "tier1" in tiers else []
    if "tier2" in tiers:
        blocks.append(projection.transform(features))
    return np.concatenate(blocks, axis=1)
