"""Student episodes on one shard of training tasks, and episodes of the expert for setup B; every step is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.collecting import collect
from teachable.pipeline.experts import expert_of
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import tasks_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c
    from teachable.config.expert import Expert
    from teachable.rollouts.episodes import Played

ABOUT = {
    "about": "play the student on tasks",
    "inputs": "tasks games student checkpoint?",
    "outputs": {
        "steps": ("phase0/steps/{shard}.parquet", "STEPS", "every decision of the rollouts"),
        "episodes": ("phase0/episodes/{shard}.parquet", "EPISODES", "every episode of the rollouts"),
    },
    "params": "seed world rollouts expert",
    "world": "play",
    "student": True,
}


def run(
    tasks: pl.DataFrame,
    games: Path,
    student: Path,
    checkpoint: Mapping[str, Any] | None,
    seed: int,
    world: c.World,
    rollouts: c.Rollouts,
    expert: Expert,
) -> Played:
    loaded = load_student(student)
    with expert_of(expert, checkpoint, student=lambda: loaded) as playing:
        return collect(
            loaded,
            open_world(world),
            games_root([games]),
            tasks_in(tasks),
            rollouts,
            max_steps=world.max_steps,
            run_seed=seed,
            expert=playing,
            progress=Reporter("episodes"),
        )
