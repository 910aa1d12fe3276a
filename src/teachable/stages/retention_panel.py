"""Choose tasks that the base student wins, near-misses first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.rollouts.snapshots import retention_panel

if TYPE_CHECKING:
    import polars as pl

ABOUT = {
    "about": "choose tasks the base student wins",
    "inputs": "steps episodes",
    "outputs": {"retention": ("phase0/retention_panel.parquet", "PANELS")},
    "params": "panels.retention",
}


def run(steps: pl.DataFrame, episodes: pl.DataFrame, retention: int) -> pl.DataFrame:
    return retention_panel(steps, episodes, retention)
