"""The teacher's advice on one shard of the snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.advising import advise
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.progress import Reporter, shard_of
from teachable.pipeline.tasks import by_id
from teachable.worlds import get_reasons

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c
    from teachable.config.teacher import Teacher

ABOUT = {
    "about": "ask the teacher about every snapshot",
    "inputs": "snapshots tasks games*",
    "outputs": {"advice": ("phase0/advice/{shard}.parquet", "ADVICE", "one row a snapshot")},
    "params": "world teacher",
    "own": {"student_layout": "str", "shard": "int", "shards": "int"},
    "world": "play reasons",
}


def run(
    snapshots: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    world: c.World,
    teacher: Teacher,
    student_layout: str,
    shard: int,
    shards: int,
) -> pl.DataFrame:
    """``student_layout``, compact or chat, says how wordy the advice may be."""
    return advise(
        open_world(world),
        games_root(games),
        by_id(tasks),
        shard_of(snapshots, shard, shards),
        teacher,
        get_reasons(world.name),
        layout=student_layout,
        progress=Reporter("snapshots advised"),
    )
