"""Restore every snapshot in a fresh engine and compare what the student sees there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.rollouts.snapshots import restore_check
from teachable.stages.games import games_root, open_world
from teachable.stages.tasks import read_tasks

if TYPE_CHECKING:
    from teachable.stages.params import RestoreCheck
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: RestoreCheck) -> None:
    """Raises RestoreMismatch, naming task, snapshot and field, for the first that differs."""
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    report = restore_check(
        tables.read(inputs["snapshots"][0], tables.SNAPSHOTS),
        tasks,
        open_world(params.world),
        games_root(inputs["games"]),
    )
    tables.write_json(report, outputs["report"])
