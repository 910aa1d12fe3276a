"""The retention panel at the checkpoints of a run, without the patch test that drift makes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.drifting import TooShort, checkpoints_of, retention_at
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import ABSENT, load_student
from teachable.pipeline.tasks import by_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "play the retention panel at checkpoints of a run",
    "inputs": "student adapter retention tasks games*",
    "outputs": {"retention_episodes": ("phase3/retention/{run}.parquet", "EPISODES", "model <run>@<checkpoint>")},
    "params": "seed world evaluation.retention_repeats",
    "own": {"model": "str"},
    "world": "play",
    "student": True,
}


def run(
    student: Path,
    adapter: Path,
    retention: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    seed: int,
    world: c.World,
    retention_repeats: int,
    model: str,
) -> pl.DataFrame:
    """No row of a run that was not trained, or for fewer steps than it has checkpoints; the log says so."""
    if (adapter / ABSENT).exists():
        print(f"{model}: not trained, so without checkpoints", flush=True)
        return tables.empty(tables.EPISODES)
    try:
        checkpoints = checkpoints_of(model, adapter)
    except TooShort as error:
        print(f"{model}: no curve: {error}", flush=True)
        return tables.empty(tables.EPISODES)
    return retention_at(
        load_student(student, checkpoints),
        open_world(world),
        games_root(games),
        by_id(tasks),
        retention,
        list(checkpoints),
        repeats=retention_repeats,
        max_steps=world.max_steps,
        run_seed=seed,
    )
