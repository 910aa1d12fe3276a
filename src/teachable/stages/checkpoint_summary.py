"""What checkpoints of a run keep: retention, and the patch test of the base student."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable.evaluation.drift_metrics import drift_metrics
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import metrics_of

if TYPE_CHECKING:
    from typing import Any

    from teachable.config import model as c

ABOUT = {
    "about": "retention and the patch test at first, middle and last checkpoint",
    "inputs": "base=model_episodes episodes=checkpoint_episodes* drift labeled",
    "outputs": {
        "checkpoints": (
            "phase3/checkpoints.parquet",
            "METRICS",
            "metric success, panel retention, group all; model base and <run>@<checkpoint> (first | middle | last)",
        ),
        "drift_metrics": (
            "phase3/drift_metrics.parquet",
            "METRICS",
            "panel drift, model <run>@<checkpoint>: ELP_net, spearman_base, route_agreement",
        ),
    },
    "params": "seed statistics",
}


def run(
    base: pl.DataFrame,
    episodes: pl.DataFrame,
    drift: pl.DataFrame,
    labeled: pl.DataFrame,
    statistics: c.Statistics,
    seed: int,
) -> dict[str, Any]:
    every = pl.concat([base.filter(pl.col("panel") == "retention"), episodes])
    return {
        "checkpoints": metrics_of(every, labeled, Resampling(**statistics.model_dump()), seed=seed),
        "drift_metrics": drift_metrics(drift, labeled, seed=seed, **statistics.model_dump()),
    }
