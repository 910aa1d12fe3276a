"""Drift of features: does the predictor meet in a trained run's failures what it learned from the base student's?

Rows of ``FEATURE_DRIFT``, one a run and feature that varies at all: the population stability index with its interval
over games, and the two-sample Kolmogorov-Smirnov test, once with snapshots taken as independent and once with games
swapped whole. A run's p-values are corrected for its many features by Benjamini and Hochberg's method. Beside it stands
the drift of teachability itself (:mod:`teachable.evaluation.drift_metrics`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from teachable import seeds, stats, tables
from teachable.evaluation.resampling import Resampling
from teachable.predictor.learners import Settings
from teachable.predictor.projection import Projection
from teachable.predictor.sets import FeatureSet, from_table
from teachable.terms import BASE


def feature_drift(
    failures: pl.DataFrame, features: pl.DataFrame, panels: pl.DataFrame, settings: Resampling, *, seed: int
) -> pl.DataFrame:
    """``FEATURE_DRIFT`` rows from ``failures`` (FAILURE_FEATURES of any number of runs, each with the base student's).

    Tier 2 is what the predictor makes of hidden states: components, similarities and prototypes, learned from the
    training side's snapshots of ``features`` (FEATURES, ``panels`` says which). The base student's failures are those
    on the held-out side's games, so neither sample is what anything was learned from. A run that fails at nothing, or
    beside a base student that does not, has no row.
    """
    made = [tables.empty(tables.FEATURE_DRIFT)]
    runs = sorted(set(failures["model"]) - {BASE})
    base = failures.filter(pl.col("model") == BASE).unique(["snapshot_id", "part"], maintain_order=True)
    if not runs or base.is_empty() or features.is_empty():
        return made[0]
    held_out = set(panels.filter(pl.col("side") == "held_out")["task_id"])
    known = from_table(features)
    learned = known.take(np.array([task not in held_out for task in known.task_id]))
    projection = None
    if len(learned):
        projection = Projection.fit(learned, Settings().components, seeds.integer(seed, "components"))
    failed = _set(base)
    before, names = _columns(failed, projection)
    for run in runs:
        found = _set(failures.filter(pl.col("model") == run))
        after, _ = _columns(found, projection)
        rows = [
            _row(run, name, one, two, failed.task_id, found.task_id, settings, seed)
            for name, one, two in zip(names, before.T, after.T, strict=True)
            if np.ptp(np.concatenate([one, two])) > 0
        ]
        frame = pl.DataFrame(rows, schema=dict(tables.FEATURE_DRIFT))
        for plain, adjusted in (("p_value", "q_value"), ("p_value_games", "q_value_games")):
            values = stats.benjamini_hochberg(frame[plain].cast(pl.Float64).fill_null(np.nan).to_numpy())
            frame = frame.with_columns(pl.Series(adjusted, values).fill_nan(None))
        made.append(frame.sort("feature"))
    return tables.conform(pl.concat(made), tables.FEATURE_DRIFT, "feature drift")


def _set(rows: pl.DataFrame) -> FeatureSet:
    named = rows.drop("model").rename({"snapshot_id": "item_id"})
    return from_table(named.with_columns(success=pl.lit(None, pl.Float64)))


def _columns(features: FeatureSet, projection: Projection | None) -> tuple[np.ndarray[Any, Any], list[tuple[str, int]]]:
    """Both tiers ``[N, F]``, and each column's name and tier."""
    names = [(name, 1) for name in features.names]
    if projection is None:
        return features.table, names
    names += [(name, 2) for name in projection.names]
    return np.concatenate([features.table, projection.transform(features)], axis=1), names


def _row(
    run: str,
    feature: tuple[str, int],
    before: np.ndarray[Any, Any],
    after: np.ndarray[Any, Any],
    games_before: np.ndarray[Any, Any],
    games_after: np.ndarray[Any, Any],
    settings: Resampling,
    seed: int,
) -> dict[str, Any]:
    name, tier = feature
    shift = stats.distribution_shift(
        before,
        after,
        games_before,
        games_after,
        seed=seeds.integer(seed, "feature drift", run, name),
        level=settings.level,
        repetitions=settings.repetitions,
    )
    return {
        "model": run,
        "feature": name,
        "tier": tier,
        "n_base": len(before),
        "n_model": len(after),
        "mean_base": float(before.mean()),
        "mean_model": float(after.mean()),
        "distance": shift.distance,
        "p_value": shift.p,
        "p_value_games": None if np.isnan(shift.p_clusters) else shift.p_clusters,
        "chance": shift.chance,
        **shift.stability.row(),
    }
