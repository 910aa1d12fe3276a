"""A fixed budget of snapshots by one method.

Every method is deterministic given its seed, and never takes a snapshot twice. Those that judge by success of others
(``eef_failures``, ``eef_error``) take fewer than k rather than snapshots they have no reason for, and say so. All are
trained on as plain demonstrations. Ties are broken by a seeded order, not by the names of snapshots.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from teachable.predictor.errors import PredictorError
from teachable.predictor.sets import FeatureSet
from teachable.seeds import stream
from teachable.selection import METHODS
from teachable.selection.pool import Choice, Pool, candidates
from teachable.tables import SELECTION, conform
from teachable.terms import selection_name

NO_PREDICTOR = "too few snapshots are labelled to learn a predictor from"


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen snapshots (SELECTION, best first), how many of the k are missing, and why."""

    frame: pl.DataFrame
    shortfall: int
    reason: str


def select(
    method: str,
    labeled: pl.DataFrame,
    k: int,
    *,
    seed: int,
    draws: int = 1,
    predictions: pl.DataFrame | None = None,
    features: FeatureSet | None = None,
    gradients: pl.DataFrame | None = None,
) -> Selection:
    """The ``k`` snapshots that ``method`` would train on, as rows of SELECTION for the run ``S_<method>_k<k>``.

    ``labeled`` (columns of LABELED) holds the pool: give the training side only. ``predictions`` must be out-of-fold
    for it; ``gradients`` (GRADIENTS) are of its candidates. ``draws``: how many choices a random method makes, one for
    every training of the run. The methods, with what they need, are the modules of
    :mod:`teachable.selection.methods`. Raises PredictorError for an unknown method, k below 1, or without what the
    method needs.
    """
    if method not in METHODS:
        raise PredictorError(f"unknown selection method {method!r}: use one of {list(METHODS)}.")
    if k < 1:
        raise PredictorError(f"a selection needs k of at least 1, but is {k}.")
    about = METHODS[method]
    rows = candidates(labeled, source=about.source)
    lacking = ""
    if rows.is_empty():
        lacking = f"the pool has no {about.source} snapshot with valid advice"
    elif about.predicted and predictions is not None and predictions.is_empty():
        lacking = NO_PREDICTOR
    if lacking:
        return _selection(method, rows.head(0), k, [Choice([], np.empty(0), lacking)])
    ties = stream(seed, "selection", method).permutation(len(rows))
    pool = Pool(method, rows, labeled, k, seed, ties, draws, predictions, features, gradients)
    choices = importlib.import_module(about.module).choose(pool)
    return _selection(method, rows, k, [choices] if isinstance(choices, Choice) else list(choices))


def _selection(method: str, rows: pl.DataFrame, k: int, choices: list[Choice]) -> Selection:
    frames = [
        pl.DataFrame(
            {
                "run": [selection_name(method, k)] * len(choice.rows),
                "draw": [choice.draw] * len(choice.rows),
                "method": [method] * len(choice.rows),
                "snapshot_id": rows[choice.rows]["snapshot_id"].to_list(),
                "rank": list(range(1, len(choice.rows) + 1)),
                "score": np.asarray(choice.score, dtype=np.float64).tolist(),
                "format": ["demo"] * len(choice.rows),
            },
            schema=dict(SELECTION),
        )
        for choice in choices
    ]
    first = choices[0]
    shortfall, reason = k - len(first.rows), first.reason
    if shortfall and len(first.rows) == len(rows) and len(rows):
        reason = f"the pool has only {len(rows)} distinct snapshots with valid advice"
    return Selection(conform(pl.concat(frames), SELECTION, "selection"), shortfall, reason if shortfall else "")
