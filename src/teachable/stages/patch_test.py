"""The patch test of every snapshot with valid advice, from the estimates of its five conditions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.alone import patch_test_alone

if TYPE_CHECKING:
    import polars as pl

ABOUT = {
    "about": "the patch test alone",
    "inputs": "snapshots estimates=patch_estimates",
    "outputs": {"patch_labels": ("phase1/patch_test.parquet", "PATCH_TEST", "one row a snapshot")},
}


def run(snapshots: pl.DataFrame, estimates: pl.DataFrame) -> pl.DataFrame:
    return patch_test_alone(snapshots, estimates)
