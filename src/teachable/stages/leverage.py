"""Leverage, its profile and recovery depth of every snapshot, from the estimates of leverage alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.alone import leverage_alone

if TYPE_CHECKING:
    import polars as pl

ABOUT = {
    "about": "leverage, profile and depth alone",
    "inputs": "snapshots estimates=leverage_estimates",
    "outputs": {"leverage": ("phase1/leverage.parquet", "LEVERAGE", "one row a snapshot")},
}


def run(snapshots: pl.DataFrame, estimates: pl.DataFrame) -> pl.DataFrame:
    return leverage_alone(snapshots, estimates)
