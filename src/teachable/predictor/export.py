"""From scikit-learn's estimators to :mod:`teachable.predictor.plain`, and the proof that both say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.pipeline import Pipeline

from teachable.predictor.errors import PredictorError
from teachable.predictor.fitted import Fitted, Predictor
from teachable.predictor.plain import Boosting, Constant, Forest, Linear, Plain
from teachable.predictor.sets import Floats


def exported(predictor: Predictor, x: Floats) -> Predictor:
    """``predictor`` with every learner as arrays, once it has said the same on the rows ``x[N, F]`` bit by bit.

    Raises :class:`PredictorError` for an estimator that cannot be taken apart and for one whose arrays do not say what
    it says: scikit-learn then keeps its trees in a way that this version does not know.
    """
    fitted = {}
    for target, found in predictor.fitted.items():
        try:
            learner = plain(found.model)
        except (AttributeError, KeyError, IndexError) as error:
            raise _unknown(target, found, f"{type(error).__name__}: {error}") from error
        kept = replace(found, model=learner, held_out=None)
        if learner.classes_:
            # the logistic function is the C library's, which may differ between builds in the last bit
            same = np.allclose(kept.probabilities(x), found.probabilities(x), rtol=0, atol=1e-15)
        else:
            same = np.array_equal(kept.values(x), found.values(x))
        if not same:
            raise _unknown(target, found, "its arrays predict something else")
        fitted[target] = kept
    return replace(predictor, fitted=fitted)


def _unknown(target: str, found: Fitted, what: str) -> PredictorError:
    import sklearn

    return PredictorError(
        f"the learner {found.name!r} of {target} cannot be kept with scikit-learn {sklearn.__version__} ({what}): "
        "install the pinned version (requirements.lock)."
    )


def plain(model: Any) -> Plain:
    """The arrays of a fitted estimator of :mod:`teachable.predictor.learners`."""
    classes = tuple(str(name) for name in getattr(model, "classes_", ()))
    if isinstance(model, DummyRegressor):
        return Constant((), np.asarray(model.constant_, dtype=np.float64).reshape(1))
    if isinstance(model, DummyClassifier):
        return Constant(classes, np.zeros(1))
    if isinstance(model, Pipeline):
        scaler, last = model[0], model[-1]
        weight = np.atleast_2d(np.asarray(last.coef_, dtype=np.float64))
        bias = np.atleast_1d(np.asarray(last.intercept_, dtype=np.float64))
        return Linear(classes, scaler.mean_, scaler.scale_, weight, bias)
    if isinstance(model, ExtraTreesRegressor | ExtraTreesClassifier):
        trees = [each.tree_ for each in model.estimators_]
        nodes = [(t.feature, t.threshold, t.children_left, t.children_right, t.value[:, 0, :]) for t in trees]
        return Forest(classes, *_joined(nodes))
    if isinstance(model, HistGradientBoostingRegressor | HistGradientBoostingClassifier):
        # scikit-learn has no public way to the trees of its boosting; what this finds is checked where it is kept
        rounds = [each.nodes for one in model._predictors for each in one]
        if any(nodes["is_categorical"].any() for nodes in rounds):
            raise AttributeError("a split by categories")
        nodes = [
            (
                np.where(n["is_leaf"], -1, n["feature_idx"].astype(np.int64)),
                n["num_threshold"],
                n["left"],
                n["right"],
                n["value"][:, None],
            )
            for n in rounds
        ]
        return Boosting(classes, *_joined(nodes), np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1))
    raise AttributeError(f"a {type(model).__name__}")


def _joined(
    trees: Sequence[tuple[NDArray[Any], ...]],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Nodes of many trees in one run: feature, threshold, left, right, value, roots."""
    roots = np.concatenate([[0], np.cumsum([len(tree[0]) for tree in trees])])[:-1].astype(np.int64)
    feature = np.concatenate([np.maximum(tree[0], -1) for tree in trees]).astype(np.int64)
    inner = feature >= 0
    # what a leaf holds here differs between builds of scikit-learn, and means nothing
    threshold = np.where(inner, np.concatenate([tree[1] for tree in trees]).astype(np.float64), 0.0)
    sides = [
        np.where(
            inner,
            np.concatenate([tree[i].astype(np.int64) + root for tree, root in zip(trees, roots, strict=True)]),
            -1,
        )
        for i in (2, 3)
    ]
    value = np.concatenate([tree[4] for tree in trees]).astype(np.float64)
    return feature, threshold, sides[0], sides[1], value, roots
