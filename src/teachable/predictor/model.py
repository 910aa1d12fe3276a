"""The multi-task predictor: from features of a snapshot to its teachability, leverage and quadrant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn import config_context
from threadpoolctl import threadpool_limits

from teachable.predictor.errors import PredictorError
from teachable.predictor.fitted import CLASSES, NUMBERS, TIERS, Fitted, Predictor, design
from teachable.predictor.learners import Settings, fit_class, fit_number, task_folds
from teachable.predictor.projection import Projection
from teachable.predictor.sets import FeatureSet, Floats
from teachable.seeds import integer
from teachable.tables import PREDICTIONS, conform

TARGETS = (*NUMBERS, *CLASSES, "quadrant")
METHODS: Mapping[str, tuple[str, ...]] = {
    "predictor": TIERS,
    "tier1": ("tier1",),
    "tier2": ("tier2",),
    "oracle_features": TIERS,
}
ORACLE_COLUMNS = (
    "U",
    "p_policy",
    "p_force",
    "p_expert",
    "p_base",
    "p_placebo",
    "L_local",
    "L_upper",
    "gap",
)
"""What the upper bound may use: all that rollouts tell, save the patched arms ELP and route are made of.
"""
ORACLE_TARGETS = ("ELP_net", "route")


def fit(
    features: FeatureSet,
    labels: pl.DataFrame,
    settings: Settings,
    *,
    seed: int,
    tiers: Sequence[str] = TIERS,
    targets: Sequence[str] = (*NUMBERS, *CLASSES),
) -> Predictor:
    """Fit the learners to labelled snapshots (columns of LABELED; matched by ``snapshot_id``).

    Each target is learned from the rows that have it: depths are null where no recovery point is known, and
    rows whose route is a tie are left out of the route, for a tie broken by a fixed order says nothing of the
    snapshot. Targets without any row are not learned. The quadrant's cuts are put where the share of held-out
    training predictions above them equals the share of training rows that are high, because predictions
    shrink to the mean and the labels' own medians would cut them unevenly.
    """
    tiers = tuple(tiers)
    if "tier2" in tiers and not features.embeddings:
        raise PredictorError("tier 2 needs the hidden states of the snapshots: embed them, or ask for tier1 only.")
    order = np.argsort(features.snapshot_id, kind="stable")
    features = features.take(order)
    aligned = align(features, labels)
    projection = Projection.fit(features, settings.components, integer(seed, "components"))
    x = design(features, projection, tiers)
    names = (features.names if "tier1" in tiers else ()) + (projection.names if "tier2" in tiers else ())
    fitted: dict[str, Fitted] = {}
    cuts: dict[str, float] = {}
    with lean():
        for target in targets:
            known = aligned[target].is_not_null().to_numpy()
            if target == "route":
                known &= ~aligned["route_tied"].fill_null(False).to_numpy()
            if not known.any():
                continue
            tasks = features.task_id[known]
            name_seed = integer(seed, target)
            if target in CLASSES:
                y = np.asarray(aligned[target].filter(known).to_list(), dtype=np.str_)
                fitted[target] = fit_class(x[known], y, tasks, settings, name_seed)
                continue
            values = aligned[target].filter(known).to_numpy().astype(np.float64)
            fitted[target] = fit_number(x[known], values, tasks, settings, name_seed)
            if target in ("U", "L_local"):
                guess = fitted[target].held_out
                guess = fitted[target].values(x[known]) if guess is None else guess
                cuts[target] = _cut(guess, _high(aligned.filter(known), target, values))
    return Predictor(tiers, projection, names, fitted, cuts if len(cuts) == 2 else {})


@contextmanager
def lean() -> Iterator[None]:
    """One thread and no repeated checks: the matrices are small, and one thread always sums in one order."""
    with threadpool_limits(limits=1), config_context(assume_finite=True, skip_parameter_validation=True):
        yield


def _high(rows: pl.DataFrame, target: str, values: Floats) -> float:
    """The share of training rows high in U or L_local, by their quadrants (or by the median without any)."""
    side = ("Q1", "Q2") if target == "U" else ("Q1", "Q4")
    quadrant = rows["quadrant"].drop_nulls()
    if len(quadrant):
        return float(quadrant.is_in(side).to_numpy().mean())
    return float((values > np.median(values)).mean())


def _cut(guess: Floats, share: float) -> float:
    """The value with ``share`` of the predictions above it."""
    ranked = np.sort(guess)
    low = len(ranked) - round(share * len(ranked))
    if low <= 0:
        return -np.inf
    return float(ranked[low - 1] if low == len(ranked) else (ranked[low - 1] + ranked[low]) / 2)


def align(features: FeatureSet, labels: pl.DataFrame) -> pl.DataFrame:
    """The labels of each row of ``features``, in its order; one without, or of another task, raises."""
    needed = [*NUMBERS, *CLASSES, "route_tied", "quadrant"]
    missing = [name for name in ("snapshot_id", "task_id", *needed) if name not in labels.columns]
    if missing:
        raise PredictorError(f"the labels lack the columns {missing}: give the labelled snapshots.")
    keys = pl.DataFrame(
        {"snapshot_id": features.snapshot_id.tolist(), "_task": features.task_id.tolist()},
        schema={"snapshot_id": pl.String, "_task": pl.String},
    )
    if labels["snapshot_id"].is_duplicated().any():
        raise PredictorError("a snapshot is labelled twice: labels need one row a snapshot.")
    found = keys.join(labels, on="snapshot_id", how="left", maintain_order="left")
    unknown = found.filter(pl.col("task_id").is_null())
    if len(unknown):
        raise PredictorError(f"{len(unknown)} snapshots have no label, e.g. {unknown['snapshot_id'][0]}.")
    if (found["task_id"] != found["_task"]).any():
        raise PredictorError("features and labels name different tasks for a snapshot: make the features again.")
    return found.drop("_task")


@dataclass(frozen=True, slots=True)
class CrossFit:
    """One method fitted on every set of training folds, and its out-of-fold predictions (PREDICTIONS)."""

    method: str
    features: FeatureSet
    labels: pl.DataFrame  # aligned with the features
    fold: NDArray[np.int64]
    models: tuple[Predictor, ...]
    predictions: pl.DataFrame
    train_size: int  # snapshots a model learned from, on average over the folds


def cross_fit(
    features: FeatureSet,
    labels: pl.DataFrame,
    settings: Settings,
    *,
    seed: int,
    method: str = "predictor",
    share: float = 1.0,
    targets: Sequence[str] | None = None,
    held_out: Collection[str] = (),
) -> CrossFit:
    """Out-of-fold predictions of a method for every snapshot, with folds made of whole tasks.

    ``method`` is one of METHODS; ``predictor`` uses both tiers, or tier 1 where no hidden states were
    embedded; ``oracle_features`` adds ORACLE_COLUMNS to the features and predicts ORACLE_TARGETS only. With
    ``share`` below one each model learns from that share of the games in its training folds (nested: a
    smaller share is part of a larger one). Folds depend on the seed and the tasks, so all methods share them.

    Tasks in ``held_out`` (the evaluation side) are never learned from: they make one more fold, numbered
    ``settings.folds``, which the model of all other tasks predicts. Predictions that guide a selection for
    training must be made this way.
    """
    if method not in METHODS:
        raise PredictorError(f"unknown method {method!r}: use one of {list(METHODS)}.")
    if not 0 < share <= 1:
        raise PredictorError(f"a share of the training games must be above 0 and at most 1, but is {share}.")
    features = features.sorted()
    aligned = align(features, labels)
    wanted: Sequence[str] = targets or (*NUMBERS, *CLASSES)
    tiers = METHODS[method]
    if not features.embeddings and method in ("predictor", "oracle_features"):
        tiers = ("tier1",)
    if method == "oracle_features":
        features = features.with_columns(
            {f"oracle.{name}": aligned[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in ORACLE_COLUMNS}
        )
        wanted = [target for target in wanted if target in ORACLE_TARGETS]
    fold = outer_folds(features.task_id, settings.folds, held_out, seed)
    models, parts, sizes = [], [], []
    for i in np.unique(fold).tolist():
        learn_from = (fold != i) & (fold < settings.folds)
        inside = thin(features.task_id, learn_from, share, integer(seed, "share", i))
        train, test = features.take(inside), features.take(fold == i)
        assert not np.isin(test.task_id, train.task_id).any()  # the law of this room: held out by game
        model = fit(
            train,
            aligned.filter(inside),
            settings,
            seed=integer(seed, "fold", i),
            tiers=tiers,
            targets=wanted,
        )
        models.append(model)
        sizes.append(len(train))
        with lean():
            predicted = model.predict(test)
        parts.append(prediction_rows(predicted, test, aligned.filter(fold == i), method, i))
    predictions = conform(pl.concat(parts).sort("target", "snapshot_id"), PREDICTIONS, "predictions")
    return CrossFit(method, features, aligned, fold, tuple(models), predictions, round(float(np.mean(sizes))))


def outer_folds(task_id: NDArray[np.str_], folds: int, held_out: Collection[str], seed: int) -> NDArray[np.int64]:
    """The outer fold ``[N]`` of each row: 0 to ``folds - 1``, and ``folds`` for the tasks in ``held_out``."""
    outside = np.isin(task_id, sorted(held_out))
    fold = np.full(len(task_id), folds, dtype=np.int64)
    fold[~outside] = task_folds(task_id[~outside], folds, integer(seed, "outer"))
    return fold


def thin(task_id: NDArray[np.str_], inside: NDArray[np.bool_], share: float, seed: int) -> NDArray[np.bool_]:
    """The mask ``inside`` cut down to a share of its tasks (at least two), the first in a seeded order."""
    tasks = np.unique(task_id[inside])
    keep = max(2, round(share * len(tasks)))
    if keep >= len(tasks):
        return inside
    order = np.random.default_rng(seed).permutation(len(tasks))
    return inside & np.isin(task_id, tasks[order[:keep]])


def _plain(column: pl.Series) -> list[object]:
    """A label column as Python values, numbers as floats."""
    return (column.cast(pl.Float64) if column.dtype.is_numeric() else column).to_list()


def prediction_rows(
    predicted: Mapping[str, tuple[Floats | None, NDArray[np.str_] | None]],
    features: FeatureSet,
    truth: pl.DataFrame | None,
    method: str,
    fold: int | None,
) -> pl.DataFrame:
    """Rows of PREDICTIONS; ``truth`` is aligned with ``features``."""
    count = len(features)
    parts = []
    for target, (score, label) in predicted.items():
        known: list[object] = [None] * count if truth is None else _plain(truth[target])
        classes = label is not None
        parts.append(
            pl.DataFrame(
                {
                    "snapshot_id": features.snapshot_id.tolist(),
                    "task_id": features.task_id.tolist(),
                    "fold": [fold] * count,
                    "method": [method] * count,
                    "target": [target] * count,
                    "score": [None] * count if score is None else score.tolist(),
                    "label": label.tolist() if label is not None else [None] * count,
                    "truth": [None] * count if classes else known,
                    "truth_label": known if classes else [None] * count,
                },
                schema=dict(PREDICTIONS),
            )
        )
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict(PREDICTIONS))
