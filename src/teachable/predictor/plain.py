"""The learners of a kept predictor as arrays, read with numpy: no scikit-learn, no pickle.

Each gives bit by bit what the estimator it was taken from gives (:mod:`teachable.predictor.export` checks that when it
takes them; chances of two classes may differ in the last bit): the same operations in the same order, in the same
precision. They answer to ``predict``, ``predict_proba``
and ``classes_`` as scikit-learn's estimators do. ``x`` is ``[N, F]`` and finite throughout.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachable.predictor.errors import PredictorError
from teachable.predictor.sets import Floats

Ints = NDArray[np.int64]
Arrays = Mapping[str, NDArray[Any]]
_ROWS = 4096
"""Rows that go down the trees at a time: as many rows times trees are in memory."""


@dataclass(frozen=True, slots=True)
class Plain(ABC):
    """What all kept learners share: ``classes_``, sorted names of a classifier's classes, none for a number."""

    kind: ClassVar[str]
    classes_: tuple[str, ...]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays by name: what a file keeps."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "classes_"}

    def check(self, width: int) -> None:
        """Raise ValueError, saying which array is amiss, where it could not answer for rows of ``width`` features."""
        for name, array in self.arrays.items():
            if array.dtype.kind == "f" and np.isnan(array).any():
                raise ValueError(f"{name} holds NaN")

    @abstractmethod
    def raw(self, x: Floats) -> Floats:
        """Scores ``[N, K]`` before they become numbers or probabilities."""

    def predict(self, x: Floats) -> Floats:
        """Predicted numbers ``[N]``."""
        return self.raw(x)[:, 0]

    def predict_proba(self, x: Floats) -> Floats:
        """The probability ``[N, K]`` of each class."""
        return _probabilities(self.raw(x))


@dataclass(frozen=True, slots=True)
class Constant(Plain):
    """The same for every row: a number, or one class."""

    kind = "constant"
    value: Floats  # [1]

    def raw(self, x: Floats) -> Floats:
        return np.full((len(x), 1), self.value[0])

    def predict_proba(self, x: Floats) -> Floats:
        return np.ones((len(x), 1))


@dataclass(frozen=True, slots=True)
class Linear(Plain):
    """Standardised features, weighed: ridge regression, or logistic regression with softmax (two classes: logit)."""

    kind = "linear"
    centre: Floats  # [F]
    scale: Floats  # [F]
    weight: Floats  # [K, F], laid out as scikit-learn does; [1, F] for a number or two classes
    bias: Floats  # [K]

    def check(self, width: int) -> None:
        Plain.check(self, width)
        shapes = {"centre": (width,), "scale": (width,), "weight": (len(self.bias), width)}
        for name, shape in shapes.items():
            if self.arrays[name].shape != shape:
                raise ValueError(f"{name} has shape {self.arrays[name].shape} where {shape} is needed")
        if len(self.bias) != (1 if len(self.classes_) < 3 else len(self.classes_)):
            raise ValueError(f"bias has {len(self.bias)} entries for {len(self.classes_)} classes")

    def raw(self, x: Floats) -> Floats:
        scaled = (x - self.centre) / self.scale
        if len(self.bias) == 1:  # a vector, as scikit-learn holds it: its product sums in another order
            return np.asarray((scaled @ self.weight[0] + self.bias[0])[:, None])
        return np.asarray(scaled @ self.weight.T + self.bias)


@dataclass(frozen=True, slots=True)
class Forest(Plain):
    """The mean of trees; leaves hold a number, or the shares of the classes."""

    kind = "forest"
    feature: Ints  # [M] of each node, -1 for a leaf
    threshold: Floats  # [M]; a row goes left where its feature, in single precision, is not above
    left: Ints  # [M] nodes, all behind their parent
    right: Ints
    value: Floats  # [M, K]
    roots: Ints  # [T]

    def check(self, width: int) -> None:
        Plain.check(self, width)
        _check_trees(self.arrays, width)
        if self.value.shape != (len(self.feature), max(1, len(self.classes_))):
            raise ValueError(f"value has shape {self.value.shape} for {len(self.feature)} nodes")

    def raw(self, x: Floats) -> Floats:
        total = np.zeros((len(x), self.value.shape[1]))
        leaves = _leaves(self.arrays, x.astype(np.float32))
        for tree in range(len(self.roots)):
            total += self.value[leaves[:, tree]]
        return total / len(self.roots)

    def predict_proba(self, x: Floats) -> Floats:
        return self.raw(x)


@dataclass(frozen=True, slots=True)
class Boosting(Plain):
    """A sum of trees: every round has one of each class (two classes or a number: one)."""

    kind = "boosting"
    feature: Ints  # [M], as in Forest but for thresholds of double precision
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats  # [M, 1]
    roots: Ints  # [rounds * K], by round
    baseline: Floats  # [K]

    def check(self, width: int) -> None:
        Plain.check(self, width)
        _check_trees(self.arrays, width)
        if self.value.shape != (len(self.feature), 1):
            raise ValueError(f"value has shape {self.value.shape} for {len(self.feature)} nodes")
        if len(self.baseline) != (1 if len(self.classes_) < 3 else len(self.classes_)):
            raise ValueError(f"baseline has {len(self.baseline)} entries for {len(self.classes_)} classes")
        if len(self.roots) % len(self.baseline):
            raise ValueError("roots are not as many in every round")

    def raw(self, x: Floats) -> Floats:
        total = np.zeros((len(x), len(self.baseline))) + self.baseline
        leaves = _leaves(self.arrays, x)
        for tree in range(len(self.roots)):
            total[:, tree % len(self.baseline)] += self.value[leaves[:, tree], 0]
        return total


KINDS: Mapping[str, type[Plain]] = {each.kind: each for each in (Constant, Linear, Forest, Boosting)}


def from_arrays(kind: str, classes: tuple[str, ...], arrays: Arrays, width: int) -> Plain:
    """The learner that a file keeps, for ``width`` features. Raises :class:`PredictorError`, saying what is amiss."""
    if kind not in KINDS:
        raise PredictorError(f"there is no learner of kind {kind!r}: known are {sorted(KINDS)}.")
    wanted = [each.name for each in fields(KINDS[kind]) if each.name != "classes_"]
    if set(arrays) != set(wanted):
        raise PredictorError(f"a learner of kind {kind!r} has the arrays {wanted}, not {sorted(arrays)}.")
    learner = KINDS[kind](classes, **arrays)
    try:
        learner.check(width)
    except (ValueError, IndexError, TypeError) as error:
        raise PredictorError(f"a learner of kind {kind!r} is damaged: {error}.") from None
    return learner


def _check_trees(arrays: Arrays, width: int) -> None:
    """Children lie behind their parents and within the nodes, so that every way down ends at a leaf."""
    feature, roots = arrays["feature"], arrays["roots"]
    count = len(feature)
    if not len(roots) or roots.min() < 0 or roots.max() >= count:
        raise ValueError("roots point beyond the nodes")
    if feature.min() < -1 or feature.max() >= width:
        raise ValueError(f"feature names a column beyond the {width} there are")
    inner = np.flatnonzero(feature >= 0)
    for side in ("left", "right"):
        if len(arrays[side]) != count or (arrays[side][inner] <= inner).any() or (arrays[side][inner] >= count).any():
            raise ValueError(f"{side} points to a node that is no child")
    if len(arrays["threshold"]) != count:
        raise ValueError("threshold has not one entry a node")


def _leaves(trees: Arrays, x: NDArray[Any]) -> Ints:
    """The leaf ``[N, T]`` that each row of ``x[N, F]`` ends at in each tree."""
    feature, threshold, left, right, roots = (trees[k] for k in ("feature", "threshold", "left", "right", "roots"))
    found = np.empty((len(x), len(roots)), dtype=np.int64)
    for start in range(0, len(x), _ROWS):
        part = x[start : start + _ROWS]
        node = np.repeat(roots[None, :], len(part), axis=0)
        while True:
            column = feature[node]
            rows, tree = np.nonzero(column >= 0)
            if not len(rows):
                break
            here = node[rows, tree]
            goes_left = part[rows, column[rows, tree]] <= threshold[here]
            node[rows, tree] = np.where(goes_left, left[here], right[here])
        found[start : start + _ROWS] = node
    return found


def _probabilities(raw: Floats) -> Floats:
    if raw.shape[1] == 1:
        # not scipy's expit, which takes half a second to import and half of what ranking takes
        second = np.array([1.0 / (1.0 + math.exp(-score)) if score > -700 else 0.0 for score in raw[:, 0].tolist()])
        return np.stack([1 - second, second], axis=1)
    shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
