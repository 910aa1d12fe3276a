"""Decisions of the expert and of a noisy expert: what the built-in student will be cloned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from teachable import seeds
from teachable.rollouts.sessions import Tables
from teachable.student.prompt import Context
from teachable.worlds.base import Task, World

__all__ = ["Decision", "demonstrate"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of an expert trajectory: what is seen there, and the expert's command."""

    key: str  # unique: task, trajectory and step
    context: Context  # without a patch
    expert: str


def demonstrate(
    world: World,
    games: Path,
    tasks: Sequence[Task],
    *,
    trajectories: int,
    noise: float,
    run_seed: int,
    max_steps: int = 15,
    progress: Callable[[int, int], object] | None = None,
) -> list[Decision]:
    """Expert decisions: per task one clean trajectory, then `trajectories - 1` noisy ones.

    In a noisy trajectory each command is replaced with probability `noise` by a random one that leaves the
    task winnable; the expert's command is recorded either way. Every task has its own random stream.
    """
    found: list[Decision] = []
    with Tables(world, games) as tables:
        for done, task in enumerate(tasks, 1):
            table = tables[task]
            for trajectory in range(trajectories):
                generator = seeds.stream(run_seed, "demonstrate", task.task_id, trajectory)
                place = table.start()
                for step in range(max_steps):
                    command = table.expert(place)
                    if command is None or place.state.done:
                        break
                    found.append(Decision(f"{task.task_id}/{trajectory}/{step}", place.context(), command))
                    follows = table.step(place, command)
                    if trajectory and generator.random() < noise:
                        others = [other for other in place.state.commands if other != command]
                        for index in generator.permutation(len(others)):
                            tried = table.step(place, others[int(index)])
                            if not tried.state.done and not tried.state.unwinnable:
                                follows = tried
                                break
                    place = follows
            tables.release(task)
            if progress is not None:
                progress(done, len(tasks))
    return found
