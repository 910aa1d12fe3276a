"""Mine the decision points before failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.rollouts.snapshots import choose_snapshots

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "mine decision points of failed episodes",
    "inputs": "steps episodes values=episode_values?",
    "outputs": {"snapshots": ("phase0/snapshots.parquet", "SNAPSHOTS")},
    "params": "seed snapshots",
}


def run(
    steps: pl.DataFrame, episodes: pl.DataFrame, values: pl.DataFrame | None, snapshots: c.Snapshots, seed: int
) -> pl.DataFrame:
    return choose_snapshots(steps, episodes, snapshots, run_seed=seed, values=values)
