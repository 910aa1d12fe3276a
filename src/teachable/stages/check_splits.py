"""No game may be in two splits: the digests of their canonicalised descriptions must not meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.errors import TeachableError
from teachable.stages.tasks import read_tasks

if TYPE_CHECKING:
    from teachable.stages.params import Nothing
    from teachable.stages.runner import Inputs, Outputs


class SplitsOverlap(TeachableError):
    """A game is in two splits."""


def run(inputs: Inputs, outputs: Outputs, params: Nothing) -> None:
    tasks = read_tasks(*inputs["tasks"])
    seen: dict[str, str] = {}
    counts: dict[str, int] = {}
    for task in tasks:
        counts[task.split] = counts.get(task.split, 0) + 1
        other = seen.setdefault(task.digest, task.split)
        if other != task.split:
            raise SplitsOverlap(
                f"{task.task_id}: the same game is in splits {other} and {task.split}; choose another `seed`."
            )
    tables.write_json({"games": counts, "distinct": len(seen), "overlaps": 0}, outputs["report"])
