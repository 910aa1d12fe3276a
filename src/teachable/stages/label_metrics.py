"""Means, shares and correlations of the labels, with intervals clustered by game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.metrics import label_metrics

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "means, shares and correlations of the labels",
    "inputs": "labeled",
    "outputs": {
        "label_metrics": (
            "phase1/label_metrics.parquet",
            "METRICS",
            "model base, panel labeled: means, shares and correlations of the labels, by all, winnable, quadrant, "
            "family",
        )
    },
    "params": "seed statistics",
}


def run(labeled: pl.DataFrame, statistics: c.Statistics, seed: int) -> pl.DataFrame:
    return label_metrics(labeled, seed=seed, **statistics.model_dump())
