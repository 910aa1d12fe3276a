"""Uncertainty of every snapshot, from the student's distributions alone: no rollout, no advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.alone import uncertainty_alone

if TYPE_CHECKING:
    import polars as pl

ABOUT = {
    "about": "uncertainty alone, without rollouts",
    "inputs": "snapshots",
    "outputs": {"uncertainty": ("phase1/uncertainty.parquet", "UNCERTAINTY", "one row a snapshot")},
    "params": "measure=labels.uncertainty labels.topk",
}


def run(snapshots: pl.DataFrame, measure: str, topk: int) -> pl.DataFrame:
    return uncertainty_alone(snapshots, measure=measure, topk=topk)
