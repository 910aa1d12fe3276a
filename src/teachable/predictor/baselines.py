"""The predictor's rivals: rankings that need no learning, and the majority class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from teachable.predictor.errors import PredictorError
from teachable.predictor.learners import Settings
from teachable.predictor.model import align, outer_folds
from teachable.predictor.sets import FeatureSet, Floats
from teachable.seeds import stream
from teachable.tables import PREDICTIONS, conform

RANKINGS = ("random", "entropy", "L_local", "UxL")


def ranking_score(method: str, labels: pl.DataFrame, *, seed: int) -> Floats:
    """The score ``[N]`` by which a rival ranks labelled snapshots; higher is chosen first.

    ``random`` is a draw for each snapshot, in the order of their ids; ``entropy`` is the entropy measure
    whatever U is configured to be; ``L_local`` the measured local leverage; ``UxL`` the product of U and
    L_local, each put on its ranks in [0, 1] so that neither unit rules. The last two use rollouts: they are
    no free rivals (see the cost table).
    """
    if method == "random":
        order = np.argsort(np.argsort(np.asarray(labels["snapshot_id"].to_list(), dtype=np.str_)))
        return stream(seed, "random-ranking").random(len(labels))[order]
    if method == "entropy":
        return _column(labels, "entropy")
    if method == "L_local":
        return _column(labels, "L_local")
    if method == "UxL":
        return _unit_ranks(_column(labels, "U")) * _unit_ranks(_column(labels, "L_local"))
    raise PredictorError(f"unknown ranking {method!r}: use one of {list(RANKINGS)}.")


def _column(labels: pl.DataFrame, name: str) -> Floats:
    values = labels[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
    known = np.isfinite(values)
    lowest = float(values[known].min()) if known.any() else 0.0
    return np.where(known, values, lowest - 1.0)


def _unit_ranks(values: Floats) -> Floats:
    ranks = rankdata(values)
    return np.asarray((ranks - 0.5) / max(1, len(ranks)), dtype=np.float64)


def baseline_predictions(
    features: FeatureSet,
    labels: pl.DataFrame,
    settings: Settings,
    *,
    seed: int,
    held_out: Collection[str] = (),
) -> pl.DataFrame:
    """PREDICTIONS of the rivals: RANKINGS for ELP_net, the training folds' ``majority`` class for classes.

    The folds are those of :func:`~teachable.predictor.model.cross_fit` with the same seed and ``held_out`` tasks.
    """
    features = features.sorted()
    aligned = align(features, labels)
    fold = outer_folds(features.task_id, settings.folds, held_out, seed)
    base = {
        "snapshot_id": features.snapshot_id.tolist(),
        "task_id": features.task_id.tolist(),
        "fold": fold.tolist(),
    }
    none = [None] * len(features)
    parts = [
        pl.DataFrame(
            base
            | {
                "method": [method] * len(features),
                "target": ["ELP_net"] * len(features),
                "score": ranking_score(method, aligned, seed=seed).tolist(),
                "label": none,
                "truth": aligned["ELP_net"].to_list(),
                "truth_label": none,
            },
            schema=dict(PREDICTIONS),
        )
        for method in RANKINGS
    ]
    for target in ("route", "quadrant"):
        label, share = _majority(aligned, target, fold, settings.folds)
        parts.append(
            pl.DataFrame(
                base
                | {
                    "method": ["majority"] * len(features),
                    "target": [target] * len(features),
                    "score": share,
                    "label": label,
                    "truth": none,
                    "truth_label": aligned[target].to_list(),
                },
                schema=dict(PREDICTIONS),
            )
        )
    return conform(pl.concat(parts).sort("method", "target", "snapshot_id"), PREDICTIONS, "predictions")


def _majority(
    labels: pl.DataFrame, target: str, fold: NDArray[np.int64], folds: int
) -> tuple[list[str | None], list[float | None]]:
    known = labels[target].is_not_null()
    if target == "route":
        known &= ~labels["route_tied"].fill_null(False)
    label: list[str | None] = [None] * len(labels)
    share: list[float | None] = [None] * len(labels)
    for i in np.unique(fold):
        counts = Counter(labels[target].filter(known & pl.Series((fold != i) & (fold < folds))).to_list())
        if not counts:
            continue
        name = min(counts, key=lambda key: (-counts[key], key))
        for row in np.flatnonzero(fold == i):
            label[row], share[row] = name, counts[name] / counts.total()
    return label, share
