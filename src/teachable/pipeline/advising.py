"""Phase 1: the teacher's advice on failure snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from teachable.rollouts.episodes import Progress
from teachable.rollouts.expert import Oracle
from teachable.rollouts.sessions import Environments, starts_of
from teachable.rollouts.values import NO_EXPERT, Query, expert_actions
from teachable.student.prompt import verbosity_of
from teachable.teacher.advise import advise_snapshots
from teachable.worlds.base import EngineFault, Task, World
from teachable.worlds.words import Explain

if TYPE_CHECKING:
    from teachable.config.teacher import Teacher


def advise(
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    snapshots: pl.DataFrame,
    section: Teacher,
    explain: Explain,
    *,
    layout: str,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """``ADVICE`` rows of the failure snapshots (interval snapshots serve recovery depth only).

    ``explain`` gives the world's reasons; ``layout`` is the student's prompt layout, which says how wordy the advice
    may be. Raises EngineFault when a snapshot's game fails, TeacherError when the teacher cannot be asked.
    """
    failures = snapshots.filter(pl.col("kind") == "failure")
    queries = [Query(start) for start in starts_of(failures, tasks)]
    commands: dict[str, str | None] = {}
    no_expert: set[str] = set()
    with Environments(world, games) as opened:
        for query in queries:
            (answer,) = expert_actions(opened, [query], Oracle())
            opened.release(query.start.task)
            if isinstance(answer, EngineFault):
                raise answer
            if answer is NO_EXPERT:
                no_expert.add(query.name)
            commands[query.name] = answer if isinstance(answer, str) else None
    return advise_snapshots(
        failures,
        commands,
        section,
        explain=explain,
        no_expert=no_expert,
        verbosity=verbosity_of(layout),
        progress=progress,
    )
