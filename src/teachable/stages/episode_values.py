"""The chance of success at every decision of the failed episodes of one shard, for ``snapshots.mode: fall``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter, tell_faults
from teachable.pipeline.tasks import by_id
from teachable.pipeline.valuing import value_failures

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "estimate success at every decision of the failed episodes",
    "inputs": "steps episodes tasks games student",
    "outputs": {"episode_values": ("phase0/episode_values/{shard}.parquet", "EPISODE_VALUES")},
    "params": "seed world estimation",
    "world": "play",
    "student": True,
}


def run(
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Path,
    student: Path,
    seed: int,
    world: c.World,
    estimation: c.Estimation,
) -> pl.DataFrame:
    values, faults = value_failures(
        load_student(student),
        open_world(world),
        games_root([games]),
        by_id(tasks),
        steps,
        episodes,
        estimation,
        max_steps=world.max_steps,
        run_seed=seed,
        progress=Reporter("decisions valued"),
    )
    tell_faults(faults)
    return values
