"""The selections compared: success, and paired contrasts with the base student and with one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import summarise

if TYPE_CHECKING:
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "compare the selections",
    "inputs": "episodes=model_episodes* labeled",
    "outputs": {
        "selection_metrics": (
            "phase5/metrics.parquet",
            "METRICS",
            "metric success; model base and S_*; panel test | failure | retention; group all",
        ),
        "selection_contrasts": (
            "phase5/contrasts.parquet",
            "CONTRASTS",
            "metric success; S_*_k*-vs-base, and against random, entropy and the plain variant of the same k; "
            "test | failure | retention",
        ),
    },
    "params": "seed statistics",
}


def run(episodes: pl.DataFrame, labeled: pl.DataFrame, statistics: c.Statistics, seed: int) -> dict[str, Any]:
    summary = summarise(episodes, labeled, Resampling(**statistics.model_dump()), seed=seed)
    return {"selection_metrics": summary.metrics, "selection_contrasts": summary.contrasts}
