"""The expert's continuations from every training-side snapshot of high L_upper, decision by decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.collecting import continue_with_expert
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.progress import Reporter, tell_faults
from teachable.pipeline.tasks import by_id
from teachable.training.recovery import recovery_pool
from teachable.training.sets import SetSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "export the expert's continuations from snapshots of high leverage",
    "inputs": "labeled panels tasks games*",
    "outputs": {
        "recovery_trajectories": (
            "phase2/recovery_trajectories.parquet",
            "CONTINUATIONS",
            "one row a decision; of continuations that failed, too",
        )
    },
    "params": "seed world training.recovery_minimum",
    "world": "play",
}


def run(
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    seed: int,
    world: c.World,
    recovery_minimum: float,
) -> pl.DataFrame:
    """All of what ``recovery-examples`` plays until it has enough, in the same order."""
    continuations, faults = continue_with_expert(
        open_world(world),
        games_root(games),
        by_id(tasks),
        recovery_pool(labeled, panels, SetSettings(seed=seed, recovery_minimum=recovery_minimum)),
        max_steps=world.max_steps,
        progress=Reporter("expert continuations"),
    )
    tell_faults(faults)
    return continuations
