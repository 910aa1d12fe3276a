"""Small tables of episodes with outcomes chosen by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from teachable import tables


def episode(
    model: str,
    task: str,
    success: bool | None,
    *,
    snapshot: str | None = None,
    repeat: int = 0,
    **columns: Any,
) -> dict[str, Any]:
    """One row of EPISODES; its seed depends on the start and the repeat only, as the project's do."""
    row = {
        **dict.fromkeys(tables.EPISODES),
        "episode_id": f"{model}/{task}/{snapshot}/{repeat}",
        "task_id": task,
        "family": "easy",
        "split": "test",
        "model": model,
        "train_seed": None,
        "behaviour": "student",
        "panel": "test" if snapshot is None else "failure",
        "snapshot_id": snapshot,
        "condition": "none",
        "repeat": repeat,
        "greedy": False,
        "seed": sum(map(ord, f"{task}{snapshot}{repeat}")),
        "steps": 10,
        "actions": [],
        "success": success,
        "lost": False,
        "fault": None if success is not None else "the engine stopped",
        "repeats": 0,
        "loops": 0,
        "wasted": 0,
        "escape": 0,
    }
    return row | columns


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(tables.EPISODES))


def labels(quadrants: dict[str, str], **columns: Any) -> pl.DataFrame:
    """LABELED rows with a snapshot id, its task (the part before the last slash) and its quadrant."""
    rows = [
        {
            **dict.fromkeys(tables.LABELED),
            "snapshot_id": snapshot,
            "task_id": snapshot.rsplit("/", 1)[0],
            "quadrant": quadrant,
            **columns,
        }
        for snapshot, quadrant in quadrants.items()
    ]
    return pl.DataFrame(rows, schema=dict(tables.LABELED))


def failure_panel(
    models: Sequence[str], games: int, wins: Callable[[str, str, int], bool]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Episodes and labels: every game has one snapshot of every quadrant; ``wins(model, quadrant, game)``."""
    quadrants = {f"g{g:02d}/{q}": q for g in range(games) for q in ("Q1", "Q2", "Q3", "Q4")}
    rows = [
        episode(model, snapshot.split("/")[0], wins(model, quadrant, int(snapshot[1:3])), snapshot=snapshot)
        for model in models
        for snapshot, quadrant in quadrants.items()
    ]
    return frame(rows), labels(quadrants)
