"""The labels of the expert's failures (setup B) beside those of the student's, with intervals by game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.setups import setups

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "labels of setup B beside the student's",
    "inputs": "labeled expert",
    "outputs": {
        "setups": (
            "phase1/setups.parquet",
            "METRICS",
            "model base, panel student, expert or difference, metric share_<quadrant> or a label",
        )
    },
    "params": "seed statistics",
}


def run(labeled: pl.DataFrame, expert: pl.DataFrame, seed: int, statistics: c.Statistics) -> pl.DataFrame:
    return setups(labeled, expert, seed=seed, **statistics.model_dump())
