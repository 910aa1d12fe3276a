"""Generate one shard of games; the expert wins each of them once, or it is not a task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teachable import seeds, tables
from teachable.stages.common import progress
from teachable.stages.games import open_world, task_frame

if TYPE_CHECKING:
    from teachable.stages.params import MakeTasks
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: MakeTasks) -> None:
    """Raises GenerationError when a game cannot be made."""
    directory = outputs["games"]
    directory.mkdir(parents=True)
    world = open_world(params.world)
    by_family: dict[str, list[int]] = {}
    for family, index in params.items:
        by_family.setdefault(family, []).append(
            seeds.integer(params.seed, "task", params.split, family, index)
        )
    made = {}
    for family, wanted in progress(by_family.items(), f"{len(params.items)} games", total=len(by_family)):
        for task in world.generate(family, params.split, wanted, directory):
            made[family, task.seed] = replace(task, game=f"{directory.name}/{task.game}")
    tasks = [
        made[family, seeds.integer(params.seed, "task", params.split, family, index)]
        for family, index in params.items
    ]
    tables.write(task_frame(tasks), outputs["tasks"], tables.TASKS)
