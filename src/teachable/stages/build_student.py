"""Make the built-in student: clone it from demonstrations, then see that it is partly competent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from teachable import seeds, tables
from teachable.errors import ConfigError
from teachable.stages.common import Reporter
from teachable.stages.games import games_root, open_world
from teachable.stages.tasks import read_tasks
from teachable.student.builder import StudentSettings, build_student
from teachable.student.prompt import Context
from teachable.supervision import context_fields, patches
from teachable.teacher.oracle import advise
from teachable.training.demonstrations import Decision
from teachable.training.warmstart import MixSettings, Patcher, mix, validator
from teachable.worlds import get_reasons, get_words
from teachable.worlds.base import Task
from teachable.worlds.words import Explain

if TYPE_CHECKING:
    from teachable.stages.params import BuildStudent
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: BuildStudent) -> None:
    """The last games, family by family, are kept for validation and taught nothing.

    Raises ConfigError when there are no games left to learn from, StudentError when success is outside of the band.
    """
    tasks = read_tasks(*inputs["tasks"])
    held_out = _last_of_each_family(tasks, params.builtin.validation_games)
    names = {task.task_id for task in held_out}
    frame = pl.concat([tables.read(path, tables.DEMONSTRATIONS) for path in inputs["demonstrations"]])
    decisions = [
        Decision(row["key"], Context(**context_fields(row)), row["expert_action"], row["demonstrator_action"])
        for row in frame.iter_rows(named=True)
        if row["key"].split("/")[0] not in names
    ]
    if not decisions:
        raise ConfigError(
            f"builtin.validation_games is {params.builtin.validation_games}, which leaves none of the {len(tasks)} "
            "warm-start games to learn from: lower it or raise tasks.warmstart."
        )
    section = params.builtin.model_dump(
        exclude={"trajectories", "noise", "gaps", "own_lights", "validation_games", "validation_episodes"}
    )
    words = get_words(params.world.name)
    record = build_student(
        mix(decisions, patcher(get_reasons(params.world.name)), words, MixSettings(), run_seed=params.seed),
        StudentSettings(**section),
        validate=validator(
            open_world(params.world),
            games_root(inputs["games"]),
            held_out,
            run_seed=params.seed,
            episodes=params.builtin.validation_episodes,
            max_steps=params.world.max_steps,
        ),
        seed=seeds.integer(params.seed, "build-student"),
        out=outputs["weights"],
        memo_label=words.memo_label,
        gaps=params.builtin.model_dump()["gaps"],
        progress=Reporter("steps"),
    )
    print(f"loss {record.losses[-1]:.3f}, validation success {record.success:.2f}", flush=True)


def patcher(explain: Explain) -> Patcher:
    """The patch of every condition, in the words that the oracle will use later."""

    def patch(context: Context, suggested: str, bad: str, key: str) -> Mapping[str, str]:
        reading = advise(explain, suggested, bad, memo=context.memo, goal=context.goal, scene=context.scene, key=key)
        return patches(reading.text, verbosity="compact", key=key)

    return patch


def _last_of_each_family(tasks: list[Task], number: int) -> list[Task]:
    families: dict[str, list[Task]] = {}
    for task in tasks:
        families.setdefault(task.family, []).append(task)
    chosen: list[Task] = []
    while len(chosen) < number and any(families.values()):
        chosen += [family.pop() for family in families.values() if family][: number - len(chosen)]
    return chosen
