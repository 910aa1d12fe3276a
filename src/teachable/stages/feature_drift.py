"""Whether the features that the predictor reads are distributed otherwise in a trained run's failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.evaluation.feature_drift import feature_drift
from teachable.evaluation.resampling import Resampling

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "shift of every feature between the base student's failures and a run's",
    "inputs": "failures=failure_features* features panels",
    "outputs": {"feature_drift": ("phase3/feature_drift.parquet", "FEATURE_DRIFT", "one row a run and feature")},
    "params": "seed statistics",
}


def run(
    failures: pl.DataFrame, features: pl.DataFrame, panels: pl.DataFrame, statistics: c.Statistics, seed: int
) -> pl.DataFrame:
    return feature_drift(failures, features, panels, Resampling(**statistics.model_dump()), seed=seed)
