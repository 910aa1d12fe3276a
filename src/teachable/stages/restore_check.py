"""Restore every snapshot in a fresh engine and compare what the student sees there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.tasks import by_id
from teachable.rollouts.snapshots import restore_check

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "restore every snapshot and compare",
    "inputs": "snapshots tasks games*",
    "outputs": {"restore_check": ("phase0/restore_check.json", "RESTORE_CHECK", "fraction, verified, total")},
    "params": "world",
    "world": "play",
}


def run(snapshots: pl.DataFrame, tasks: pl.DataFrame, games: Sequence[Path], world: c.World) -> dict[str, Any]:
    """Raises RestoreMismatch, naming task, snapshot and field, for the first that differs."""
    return restore_check(snapshots, by_id(tasks), open_world(world), games_root(games))
