"""Play of an expert, a noisy expert and a demonstrator with gaps: what the built-in student is cloned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import tasks_in
from teachable.training.demonstrations import demonstrate, demonstrations_frame
from teachable.training.gaps import Gap
from teachable.worlds import get_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "play the episodes that the built-in student is cloned from",
    "inputs": "tasks games",
    "outputs": {"demonstrations": ("world/warmstart/demonstrations/{shard}.parquet", "DEMONSTRATIONS")},
    "params": "seed world builtin.trajectories builtin.noise builtin.gaps builtin.own_lights",
    "world": "play words",
}


def run(
    tasks: pl.DataFrame,
    games: Path,
    seed: int,
    world: c.World,
    trajectories: int,
    noise: float,
    gaps: Mapping[str, c.Gap],
    own_lights: float,
) -> pl.DataFrame:
    decisions = demonstrate(
        open_world(world),
        games_root([games]),
        tasks_in(tasks),
        get_words(world.name),
        trajectories=trajectories,
        noise=noise,
        gaps={skill: Gap(gap.known, gap.otherwise) for skill, gap in gaps.items()},
        own_lights=own_lights,
        run_seed=seed,
        max_steps=world.max_steps,
        progress=Reporter("games demonstrated"),
    )
    return demonstrations_frame(decisions)
