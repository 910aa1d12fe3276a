"""The expert's continuations from every training-side snapshot of high L_upper, decision by decision."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from teachable.pipeline.collecting import continue_with_expert
from teachable.pipeline.experts import expert_of
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter, tell_faults
from teachable.pipeline.tasks import by_id
from teachable.training.recovery import recovery_pool
from teachable.training.sets import SetSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c
    from teachable.config.expert import Expert

ABOUT = {
    "about": "export the expert's continuations from snapshots of high leverage",
    "inputs": "labeled panels tasks games* student? checkpoint?",
    "outputs": {
        "recovery_trajectories": (
            "phase2/recovery_trajectories.parquet",
            "CONTINUATIONS",
            "one row a decision; of continuations that failed, too",
        )
    },
    "params": "seed world expert training.recovery_minimum",
    "world": "play",
    "student": "checkpoint",
}


def run(
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    student: Path | None,
    checkpoint: Mapping[str, Any] | None,
    seed: int,
    world: c.World,
    expert: Expert,
    recovery_minimum: float,
) -> pl.DataFrame:
    """All of what ``recovery-examples`` plays until it has enough, in the same order. ``student`` is needed where the
    expert is an adapter of it."""
    with expert_of(expert, checkpoint, student=None if student is None else partial(load_student, student)) as playing:
        continuations, faults = continue_with_expert(
            open_world(world),
            games_root(games),
            by_id(tasks),
            recovery_pool(labeled, panels, SetSettings(seed=seed, recovery_minimum=recovery_minimum)),
            max_steps=world.max_steps,
            run_seed=seed,
            expert=playing,
            progress=Reporter("expert continuations"),
        )
    tell_faults(faults)
    return continuations
