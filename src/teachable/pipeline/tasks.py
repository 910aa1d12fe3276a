"""Tasks as rows of the TASKS table, and back."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from teachable import tables
from teachable.worlds.base import Task


def tasks_in(table: pl.DataFrame) -> list[Task]:
    """The tasks of ``TASKS`` rows, in their order."""
    return [Task(**row) for row in table.iter_rows(named=True)]


def by_id(table: pl.DataFrame) -> dict[str, Task]:
    """The same by ``task_id``; one that is asked for and not there is a MissingRow."""
    return tables.Index("task_id", ((task.task_id, task) for task in tasks_in(table)))


def task_frame(tasks: Iterable[Task]) -> pl.DataFrame:
    """``TASKS`` rows of ``tasks``."""
    return pl.DataFrame(
        [{name: getattr(task, name) for name in tables.TASKS} for task in tasks], schema=dict(tables.TASKS)
    )
