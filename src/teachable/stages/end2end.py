"""End-to-end evaluation by itself: success of the base student and of every run on whole held-out games."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import end_to_end

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "success of every model on whole held-out games",
    "inputs": "episodes=model_episodes*",
    "outputs": {
        "end2end": (
            "phase3/end2end.parquet",
            "METRICS",
            "metric success, panel test; model base and every run; group all | family",
        )
    },
    "params": "seed statistics",
}


def run(episodes: pl.DataFrame, statistics: c.Statistics, seed: int) -> pl.DataFrame:
    return end_to_end(episodes, Resampling(**statistics.model_dump()), seed=seed)
