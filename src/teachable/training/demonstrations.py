"""Decisions of an expert, a noisy expert and a demonstrator with gaps: what the built-in student is cloned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from teachable import seeds, tables
from teachable.rollouts.sessions import Environment, Environments, Moment
from teachable.student.prompt import Context
from teachable.training.gaps import Gap, demonstrated
from teachable.worlds.base import Task, World

if TYPE_CHECKING:
    from teachable.worlds.words import Words

__all__ = ["Decision", "demonstrate", "demonstrations_frame"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on the way: what is seen there, the expert's command and the demonstrator's."""

    key: str  # unique: task, trajectory and step
    context: Context  # without a patch
    expert: str
    demonstrator: str  # the expert's, but for its gaps


def demonstrate(
    world: World,
    games: Path,
    tasks: Sequence[Task],
    words: Words,
    *,
    trajectories: int,
    noise: float,
    gaps: Mapping[str, Gap],
    own_lights: float,
    run_seed: int,
    max_steps: int = 15,
    progress: Callable[[int, int], object] | None = None,
) -> list[Decision]:
    """Decisions of `trajectories` episodes per task; at each, what the expert and the demonstrator would do.

    The first is played by the expert. In every other each command is replaced with probability `noise` by a
    random one that leaves the task winnable. The last ones, a share `own_lights` of all, follow the demonstrator
    (without gaps: the expert), so they reach the states in which a student that lacks these skills finds itself.
    Each episode has its own random stream, and its gaps another. It ends where the expert has no command.
    """
    own = round(own_lights * trajectories)
    found: list[Decision] = []
    with Environments(world, games) as environments:
        for done, task in enumerate(tasks, 1):
            environment = environments[task]
            for trajectory in range(trajectories):
                stray = seeds.stream(run_seed, "demonstrate", task.task_id, trajectory)
                lack = seeds.stream(run_seed, "gaps", task.task_id, trajectory)
                moment = environment.start()
                for step in range(max_steps):
                    right = environment.expert(moment)
                    if right is None or moment.state.done:
                        break
                    shown = demonstrated(
                        right, words.skill_of(right), moment.state.commands, gaps, _trial(environment, moment), lack
                    )
                    found.append(Decision(f"{task.task_id}/{trajectory}/{step}", moment.context(), right, shown))
                    command = shown if trajectory >= trajectories - own else right
                    follows = environment.step(moment, command)
                    if trajectory and stray.random() < noise:
                        others = [other for other in moment.state.commands if other != command]
                        for index in stray.permutation(len(others)):
                            tried = environment.step(moment, others[int(index)])
                            if not tried.state.done and not tried.state.unwinnable:
                                follows = tried
                                break
                    moment = follows
            environments.release(task)
            if progress is not None:
                progress(done, len(tasks))
    return found


def demonstrations_frame(decisions: Sequence[Decision]) -> pl.DataFrame:
    """``DEMONSTRATIONS`` rows of ``decisions``."""
    rows = [
        {
            "key": decision.key,
            **decision.context.columns(),
            "expert_action": decision.expert,
            "demonstrator_action": decision.demonstrator,
        }
        for decision in decisions
    ]
    return pl.DataFrame(rows, schema=dict(tables.DEMONSTRATIONS))


def _trial(environment: Environment, moment: Moment) -> Callable[[str], tuple[bool, bool]]:
    def trial(command: str) -> tuple[bool, bool]:
        state = environment.step(moment, command).state
        return not state.done and not state.unwinnable, state.digest != moment.state.digest

    return trial
