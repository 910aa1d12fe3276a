"""Generate one shard of games; the expert wins each of them once, or it is not a task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teachable import seeds, tables
from teachable.generation import get_generator
from teachable.stages.common import Reporter
from teachable.stages.tasks import task_frame

if TYPE_CHECKING:
    from teachable.stages.params import MakeTasks
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: MakeTasks) -> None:
    """Raises GenerationError when a game cannot be made."""
    directory = outputs["games"]
    directory.mkdir(parents=True)
    generator = get_generator(params.world_name, max_expert_steps=params.max_steps, **params.options)
    numbers = [seeds.integer(params.seed, "task", params.split, family, index) for family, index in params.items]
    families = [family for family, _ in params.items]
    made = generator.generate(families, params.split, numbers, directory, progress=Reporter("games made"))
    tasks = [replace(task, game=f"{directory.name}/{task.game}") for task in made]
    tables.write(task_frame(tasks), outputs["tasks"], tables.TASKS)
