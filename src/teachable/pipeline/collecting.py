"""Episodes of the student on training tasks, of the noisy expert (setup B), and of the student after advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from teachable.rollouts.episodes import EpisodeSpec, Played, PlaySettings, Progress, play
from teachable.rollouts.policy import Policy
from teachable.rollouts.sessions import Start, starts_of
from teachable.worlds.base import Task, World

if TYPE_CHECKING:
    from teachable.config import model as c


def collect(
    policy: Policy,
    world: World,
    games: Path,
    tasks: Sequence[Task],
    section: c.Rollouts,
    *,
    max_steps: int,
    run_seed: int,
    progress: Progress | None = None,
) -> Played:
    """Every task played as often as ``section`` says, ``max_steps`` commands at most; all steps are recorded.

    An episode's random numbers are named by its task and repeat, so neither order nor sharding changes one.
    """
    specs = [
        EpisodeSpec(f"{task.task_id}/student/{repeat}", Start(task), repeat=repeat)
        for task in tasks
        for repeat in range(section.episodes_per_task)
    ] + [
        EpisodeSpec(
            f"{task.task_id}/expert/{repeat}",
            Start(task),
            behaviour="expert",
            noise=section.expert_noise,
            repeat=repeat,
        )
        for task in tasks
        for repeat in range(section.expert_episodes_per_task)
    ]
    settings = PlaySettings(max_steps=max_steps)
    return play(policy, world, games, specs, settings, run_seed=run_seed, record_steps=True, progress=progress)


def continue_after_advice(
    policy: Policy,
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    snapshots: pl.DataFrame,
    advice: pl.DataFrame,
    repeats: int,
    *,
    settings: PlaySettings,
    run_seed: int,
    progress: Progress | None = None,
) -> Played:
    """From every snapshot the command that the teacher advises, then the student as it is, ``repeats`` times.

    ``snapshots`` are rows of SNAPSHOTS or LABELED whose ``advice`` (ADVICE) is valid; all steps are recorded. The
    random numbers are named for this alone: labels and evaluations draw others.
    """
    suggested = dict(advice.select("snapshot_id", "suggested_action").iter_rows())
    specs = [
        EpisodeSpec(
            f"{start.snapshot_id}/continued/{repeat}",
            start,
            force=suggested[start.snapshot_id],
            condition="force",
            panel="continuation",
            repeat=repeat,
        )
        for start in starts_of(snapshots, tasks)
        for repeat in range(repeats)
    ]
    return play(policy, world, games, specs, settings, run_seed=run_seed, record_steps=True, progress=progress)
