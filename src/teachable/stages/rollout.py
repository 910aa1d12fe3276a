"""Student episodes on one shard of training tasks, and noisy expert episodes for setup B; every step is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.collecting import collect
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import tasks_in

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c
    from teachable.rollouts.episodes import Played

ABOUT = {
    "about": "play the student on tasks",
    "inputs": "tasks games student",
    "outputs": {
        "steps": ("phase0/steps/{shard}.parquet", "STEPS", "every decision of the rollouts"),
        "episodes": ("phase0/episodes/{shard}.parquet", "EPISODES", "every episode of the rollouts"),
    },
    "params": "seed world rollouts",
    "world": "play",
    "student": True,
}


def run(tasks: pl.DataFrame, games: Path, student: Path, seed: int, world: c.World, rollouts: c.Rollouts) -> Played:
    return collect(
        load_student(student),
        open_world(world),
        games_root([games]),
        tasks_in(tasks),
        rollouts,
        max_steps=world.max_steps,
        run_seed=seed,
        progress=Reporter("episodes"),
    )
