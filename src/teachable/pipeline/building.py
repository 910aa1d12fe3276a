"""Students that learn from demonstrations and are tried on games that they were taught nothing of: the built-in one,
which is cloned from them, and a pretrained one, which is warmed up with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from teachable import seeds
from teachable.errors import ConfigError
from teachable.rollouts.episodes import Progress
from teachable.student.builder import BuildRecord, StudentSettings, build_student
from teachable.student.lora import LoraSettings
from teachable.student.prompt import Context, Verbosity
from teachable.student.warming import WarmStartRecord, warm_start
from teachable.supervision import patches
from teachable.teacher.oracle import advise
from teachable.training.demonstrations import Decision
from teachable.training.warmstart import MixSettings, Patcher, mix, validator
from teachable.worlds.base import Task, World
from teachable.worlds.words import Explain, Words

if TYPE_CHECKING:
    from teachable.config import model as c
    from teachable.student.model import Student


def build(
    demonstrations: pl.DataFrame,
    tasks: Sequence[Task],
    world: World,
    games: Path,
    section: c.Builtin,
    words: Words,
    explain: Explain,
    *,
    max_steps: int,
    run_seed: int,
    out: Path,
    progress: Progress | None = None,
) -> BuildRecord:
    """Clone a student from ``DEMONSTRATIONS`` of ``tasks`` into the directory ``out``.

    The last games, family by family, are kept for validation and taught nothing.

    Raises ConfigError when there are no games left to learn from, StudentError when success is outside of the band.
    """
    held_out, decisions = _split(demonstrations, tasks, section.validation_games, "builtin.validation_games")
    shape = section.model_dump(
        exclude={"trajectories", "noise", "gaps", "own_lights", "validation_games", "validation_episodes"}
    )
    return build_student(
        mix(decisions, patcher(explain), words, MixSettings(), run_seed=run_seed),
        StudentSettings(**shape),
        validate=validator(
            world, games, held_out, run_seed=run_seed, episodes=section.validation_episodes, max_steps=max_steps
        ),
        seed=seeds.integer(run_seed, "build-student"),
        out=out,
        memo_label=words.memo_label,
        gaps=section.model_dump()["gaps"],
        progress=progress,
    )


def warm(
    student: Student,
    demonstrations: pl.DataFrame,
    tasks: Sequence[Task],
    world: World,
    games: Path,
    section: c.WarmStart,
    words: Words,
    explain: Explain,
    *,
    max_steps: int,
    run_seed: int,
    micro_batch: int,
    out: Path,
    progress: Progress | None = None,
) -> WarmStartRecord:
    """Warm a pretrained ``student`` up with ``DEMONSTRATIONS`` of ``tasks``, an expert's, and write it to ``out``.

    As for the built-in student the last games, family by family, are kept for validation and taught nothing; patches
    are of the wording that the student's layout asks for. ``micro_batch``: examples per forward pass to begin with.

    Raises as :func:`build`.
    """
    held_out, decisions = _split(demonstrations, tasks, section.validation_games, "student.warm_start.validation_games")
    mixture = MixSettings(patched=section.patched, easy_kept=1.0)
    return warm_start(
        student,
        mix(decisions, patcher(explain, student.layout_spec.verbosity), words, mixture, run_seed=run_seed),
        LoraSettings(
            rank=section.rank,
            alpha=section.alpha,
            learning_rate=section.learning_rate,
            max_steps=section.max_steps,
            batch_size=section.batch_size,
            micro_batch=min(section.batch_size, micro_batch),
        ),
        validate=validator(
            world, games, held_out, run_seed=run_seed, episodes=section.validation_episodes, max_steps=max_steps
        ),
        band=(section.band_low, section.band_high),
        checkpoints=section.checkpoints,
        seed=seeds.integer(run_seed, "warm-start"),
        out=out,
        progress=progress,
    )


def _split(
    demonstrations: pl.DataFrame, tasks: Sequence[Task], validation_games: int, knob: str
) -> tuple[list[Task], list[Decision]]:
    """The tasks kept for validation and the decisions of all others; ConfigError, naming ``knob``, for none."""
    held_out = _last_of_each_family(tasks, validation_games)
    names = {task.task_id for task in held_out}
    decisions = [
        Decision(row["key"], Context.of(row), row["expert_action"], row["demonstrator_action"])
        for row in demonstrations.iter_rows(named=True)
        if row["key"].split("/")[0] not in names
    ]
    if not decisions:
        raise ConfigError(
            f"{knob} is {validation_games}, which leaves none of the {len(tasks)} warm-start games to learn from: "
            "lower it or raise tasks.warmstart."
        )
    return held_out, decisions


def patcher(explain: Explain, verbosity: Verbosity = "compact") -> Patcher:
    """The patch of every condition, in the words that the oracle will use later."""

    def patch(context: Context, suggested: str, bad: str, key: str) -> Mapping[str, str]:
        reading = advise(explain, suggested, bad, memo=context.memo, goal=context.goal, scene=context.scene, key=key)
        return patches(reading.text, verbosity=verbosity, key=key)

    return patch


def _last_of_each_family(tasks: Sequence[Task], number: int) -> list[Task]:
    families: dict[str, list[Task]] = {}
    for task in tasks:
        families.setdefault(task.family, []).append(task)
    chosen: list[Task] = []
    while len(chosen) < number and any(families.values()):
        chosen += [family.pop() for family in families.values() if family][: number - len(chosen)]
    return chosen
