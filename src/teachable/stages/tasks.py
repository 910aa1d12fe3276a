"""Tasks as rows of the TASKS table, and back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from teachable import tables
from teachable.worlds.base import Task


def read_tasks(*paths: Path) -> list[Task]:
    """The tasks in the given TASKS tables, in their order."""
    return [Task(**row) for path in paths for row in tables.read(path, tables.TASKS).iter_rows(named=True)]


def task_frame(tasks: Iterable[Task]) -> pl.DataFrame:
    return pl.DataFrame(
        [{name: getattr(task, name) for name in tables.TASKS} for task in tasks], schema=dict(tables.TASKS)
    )
