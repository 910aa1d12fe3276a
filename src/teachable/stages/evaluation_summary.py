"""Success, stuckness, paired contrasts with the base student, and transfer between quadrants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import Summary, summarise

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "intervals, paired contrasts and transfer",
    "inputs": "episodes=model_episodes* labeled",
    "outputs": {
        "metrics": (
            "phase3/metrics.parquet",
            "METRICS",
            "metric success, repeat_rate, loop_rate, wasted_rate, escape_latency, efficiency; model base and every "
            "run; panel test | failure | retention; group all | Q1..Q4 | family",
        ),
        "contrasts": (
            "phase3/contrasts.parquet",
            "CONTRASTS",
            "metric success; <run>-vs-base on test, failure, retention; on failure also <Q>_<format>-vs-<Q>_demo "
            "(group Q), best_format-vs-demo (group all, Q), transfer_diagonal_minus_off and "
            "transfer_diagonal_minus_off_<format>; <Q>_dpo-vs-<Q>_contrast where it was trained",
        ),
        "transfer": (
            "phase3/transfer.parquet",
            "TRANSFER",
            "16 cells for each of demo, contrast, hint, mean",
        ),
        "effectiveness": (
            "phase3/effectiveness.parquet",
            "CONTRASTS",
            "metric success, panel failure; <format>-vs-C_replay, group Q1..Q4: its own run on it; all: their mean",
        ),
    },
    "params": "seed statistics",
}


def run(episodes: pl.DataFrame, labeled: pl.DataFrame, statistics: c.Statistics, seed: int) -> Summary:
    return summarise(episodes, labeled, Resampling(**statistics.model_dump()), seed=seed)
