"""The learners that compete for each target, and the choice among them on training games alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from teachable.predictor.errors import PredictorError, TooFew
from teachable.predictor.fitted import Fitted
from teachable.predictor.sets import Floats
from teachable.seeds import integer, stream

FAMILIES = ("ridge", "extra_trees", "boosting")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the predictor is fitted; the defaults suit hundreds to thousands of labelled snapshots."""

    families: tuple[str, ...] = FAMILIES
    folds: int = 5  # outer folds: out-of-fold predictions
    inner_folds: int = 3  # within the training games: choice of learner and of the quadrant cuts
    components: int = 16  # principal components of each part's hidden states
    trees: int = 100
    rounds: int = 60  # boosting rounds
    penalties: tuple[float, ...] = (3.0, 30.0, 300.0, 3000.0)  # ridge, on standardised features

    def __post_init__(self) -> None:
        unknown = [name for name in self.families if name not in FAMILIES]
        if unknown or not self.families:
            raise PredictorError(f"unknown learners {unknown}: use some of {list(FAMILIES)}.")
        if self.folds < 2 or self.inner_folds < 2:
            raise PredictorError("folds and inner_folds must be at least 2.")


Maker = Callable[[int], Any]


def candidates(settings: Settings, *, classes: bool) -> dict[str, Maker]:
    """Learners by name, each a function of a seed; regressors, or classifiers with probabilities."""
    makers: dict[str, Maker] = {}
    if "ridge" in settings.families:
        for penalty in settings.penalties:
            makers[f"ridge_{penalty:g}"] = _logistic(penalty) if classes else _ridge(penalty)
    if "extra_trees" in settings.families:
        makers["extra_trees"] = _trees(settings.trees, classes)
    if "boosting" in settings.families:
        makers["boosting"] = _boosting(settings.rounds, classes)
    return makers


def _ridge(penalty: float) -> Maker:
    return lambda seed: make_pipeline(StandardScaler(), Ridge(alpha=penalty))


def _logistic(penalty: float) -> Maker:
    # C is the inverse penalty; the classes are few and uneven.
    return lambda seed: make_pipeline(
        StandardScaler(), LogisticRegression(C=1.0 / penalty, max_iter=500, class_weight="balanced")
    )


def _trees(trees: int, classes: bool) -> Maker:
    if classes:
        return lambda seed: ExtraTreesClassifier(
            trees, min_samples_leaf=4, max_features=0.3, class_weight="balanced", random_state=seed
        )
    return lambda seed: ExtraTreesRegressor(trees, min_samples_leaf=4, max_features=0.3, random_state=seed)


def _boosting(rounds: int, classes: bool) -> Maker:
    options: dict[str, Any] = {
        "max_iter": rounds,
        "learning_rate": 0.1,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 10,
        "l2_regularization": 1.0,
        "max_bins": 64,
        "max_features": 0.3,  # of the columns at a split: as good on noisy labels, and faster
        "early_stopping": False,
    }
    if classes:
        return lambda seed: HistGradientBoostingClassifier(**options, random_state=seed)
    return lambda seed: HistGradientBoostingRegressor(**options, random_state=seed)


def task_folds(task_id: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold ``[N]`` of each row: whole tasks, dealt in seeded order to the smallest fold.

    Depends on the tasks and their numbers of rows, not on the order of rows. Too few tasks raise :class:`TooFew`.
    """
    tasks, codes, counts = np.unique(task_id, return_inverse=True, return_counts=True)
    if len(tasks) < folds:
        raise TooFew(
            f"{len(tasks)} games cannot make {folds} folds: label snapshots of more games, or lower predictor.folds."
        )
    order = stream(seed, "folds").permutation(len(tasks))
    order = order[np.argsort(-counts[order], kind="stable")]  # large games first, equal ones in seeded order
    load = np.zeros(folds)
    place = np.zeros(len(tasks), dtype=np.int64)
    for task in order:
        place[task] = int(np.argmin(load))
        load[place[task]] += counts[task]
    return place[codes]


def fit_number(x: Floats, y: Floats, tasks: NDArray[np.str_], settings: Settings, seed: int) -> Fitted:
    """The regressor with the least squared error on held-out training games, fitted to all rows."""
    if np.ptp(y) == 0:
        return Fitted("constant", DummyRegressor(strategy="mean").fit(x, y), np.full(len(y), y[0]))
    makers = candidates(settings, classes=False)
    splits = list(_splits(tasks, settings.inner_folds, seed))
    best, held_out, least = next(iter(makers)), None, np.inf
    for name, make in makers.items() if splits else ():
        guess = np.empty(len(y))
        for i, (inner, outer) in enumerate(splits):
            guess[outer] = make(_seed(seed, name, i)).fit(x[inner], y[inner]).predict(x[outer])
        error = float(((guess - y) ** 2).mean())
        if error < least:
            best, held_out, least = name, guess, error
    return Fitted(best, makers[best](_seed(seed, best, "all")).fit(x, y), held_out)


def fit_class(x: Floats, y: NDArray[np.str_], tasks: NDArray[np.str_], settings: Settings, seed: int) -> Fitted:
    """The classifier with the best macro-F1 on held-out training games, fitted to all rows."""
    if len(np.unique(y)) == 1:
        return Fitted("constant", DummyClassifier(strategy="most_frequent").fit(x, y), None)
    makers = candidates(settings, classes=True)
    splits = [s for s in _splits(tasks, settings.inner_folds, seed) if len(np.unique(y[s[0]])) > 1]
    best, most = next(iter(makers)), -1.0
    for name, make in makers.items():
        guesses, truths = [], []
        for i, (inner, outer) in enumerate(splits):
            guesses.append(make(_seed(seed, name, i)).fit(x[inner], y[inner]).predict(x[outer]))
            truths.append(y[outer])
        value = _macro_f1(np.concatenate(truths), np.concatenate(guesses)) if splits else -1.0
        if value > most:
            best, most = name, value
    return Fitted(best, makers[best](_seed(seed, best, "all")).fit(x, y), None)


def _splits(tasks: NDArray[np.str_], folds: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    folds = min(folds, len(np.unique(tasks)))
    if folds < 2:
        return
    fold = task_folds(tasks, folds, integer(seed, "inner"))
    for i in range(folds):
        yield np.flatnonzero(fold != i), np.flatnonzero(fold == i)


def _macro_f1(truth: NDArray[np.str_], guess: NDArray[np.str_]) -> float:
    values: list[float] = []
    for label in np.unique(truth):
        hits = np.count_nonzero((truth == label) & (guess == label))
        values.append(2 * hits / (np.count_nonzero(truth == label) + np.count_nonzero(guess == label)))
    return float(np.mean(values))


def _seed(seed: int, *names: object) -> int:
    return integer(seed, *names) % 2**32  # what scikit-learn accepts


def names_of(fitted: Sequence[Fitted]) -> str:
    """The learners chosen over folds, e.g. ``"boosting, ridge_30"``."""
    return ", ".join(sorted({each.name for each in fitted}))
