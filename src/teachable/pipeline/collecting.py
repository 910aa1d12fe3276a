"""Phase 0: episodes of the student on training tasks, and of the noisy expert (setup B)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.rollouts.episodes import Job, Played, PlaySettings, Progress, play
from teachable.rollouts.policy import Policy
from teachable.rollouts.sessions import Start
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
    jobs = [
        Job(f"{task.task_id}/student/{repeat}", Start(task), repeat=repeat)
        for task in tasks
        for repeat in range(section.episodes_per_task)
    ] + [
        Job(
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
    return play(policy, world, games, jobs, settings, run_seed=run_seed, record_steps=True, progress=progress)
