"""Episodes of the student on training tasks, of the noisy expert (setup B), and of the student after advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from teachable import seeds, tables
from teachable.rollouts.episodes import EpisodeSpec, Played, PlaySettings, Progress, play
from teachable.rollouts.expert import Expert, Oracle, Turn
from teachable.rollouts.policy import Policy
from teachable.rollouts.sessions import Environment, Environments, Moment, Start, starts_of
from teachable.terms import BASE
from teachable.worlds.base import EngineFault, Task, World

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
    model: str = BASE,
    expert: Expert | None = None,
    progress: Progress | None = None,
) -> Played:
    """Every task played as often as ``section`` says, ``max_steps`` commands at most; all steps are recorded.
    ``expert`` plays setup B (None: the game's own solver).

    An episode's random numbers are named by its task and repeat, so neither order nor sharding changes one. ``model``:
    the adapter of ``policy`` that plays in the base student's place, on the same random numbers.
    """
    specs = [
        EpisodeSpec(
            f"{task.task_id}/student/{repeat}",
            Start(task),
            model=model,
            adapter=None if model == BASE else model,
            repeat=repeat,
        )
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
    return play(
        policy, world, games, specs, settings, run_seed=run_seed, expert=expert, record_steps=True, progress=progress
    )


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
    suggested = tables.index(advice, "snapshot_id", "suggested_action")
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


TOGETHER = 16  # continuations that an expert other than the oracle is asked about at once


def continue_with_expert(
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    snapshots: pl.DataFrame,
    *,
    max_steps: int,
    run_seed: int = 0,
    enough: int | None = None,
    expert: Expert | None = None,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, dict[str, str]]:
    """``CONTINUATIONS`` rows: every decision of the expert from ``snapshots`` on, in their order, until ``enough`` of
    them (None: all there are) are of continuations that won; and what the engine failed at, by snapshot.

    ``expert`` None: the game's own solver. Another plays :data:`TOGETHER` continuations side by side; one that draws
    does so from the stream of ``run_seed`` and the snapshot's name.
    """
    expert = expert or Oracle()
    at_once = 1 if isinstance(expert, Oracle) else TOGETHER
    rows: list[dict[str, Any]] = []
    faults: dict[str, str] = {}
    starts = starts_of(snapshots, tasks)
    with Environments(world, games) as opened:
        for done, (start, found) in enumerate(_continued(opened, starts, expert, at_once, max_steps, run_seed), 1):
            if isinstance(found, EngineFault):
                faults[str(start.snapshot_id)] = str(found)
                continue
            rows += [{**row, "success": found.won} for row in found.decisions]
            if progress is not None:
                progress(done, len(snapshots))
            if enough is not None and sum(row["success"] for row in rows) >= enough:
                break
    return pl.DataFrame(rows, schema=dict(tables.CONTINUATIONS)), faults


@dataclass(slots=True)
class _Continuation:
    """One continuation under way: where it stands and every decision so far."""

    start: Start
    environment: Environment
    moment: Moment
    rng: np.random.Generator
    decisions: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False

    @property
    def won(self) -> bool:
        return self.moment.state.won

    def take(self, command: str) -> None:
        self.decisions.append(
            {
                "snapshot_id": self.start.snapshot_id,
                "task_id": self.start.task.task_id,
                "step": len(self.moment.path),
                **self.moment.context().columns(),
                "action": command,
            }
        )
        self.moment = self.environment.step(self.moment, command)


def _continued(
    opened: Environments, starts: Sequence[Start], expert: Expert, at_once: int, max_steps: int, run_seed: int
) -> Iterator[tuple[Start, _Continuation | EngineFault]]:
    """Every start with its continuation or the engine's fault, ``at_once`` of them played side by side."""
    for first in range(0, len(starts), at_once):
        found: list[_Continuation | EngineFault] = []
        for start in starts[first : first + at_once]:
            try:
                environment = opened[start.task]
                rng = seeds.stream(run_seed, "expert", "continuation", str(start.snapshot_id))
                found.append(_Continuation(start, environment, environment.moment(start), rng))
            except EngineFault as fault:
                found.append(fault)
        for _ in range(max_steps):
            _one_step(found, expert)
        yield from zip(starts[first : first + at_once], found, strict=True)


def _one_step(found: list[_Continuation | EngineFault], expert: Expert) -> None:
    """A command of the expert in every continuation that goes on; where the engine fails, the fault takes its place."""
    going = [
        (index, one)
        for index, one in enumerate(found)
        if isinstance(one, _Continuation) and not one.over and not one.moment.state.done
    ]
    drawn = not expert.deterministic
    turns = [Turn(one.environment, one.moment, 0, float(one.rng.random()) if drawn else None) for _, one in going]
    for (index, one), command in zip(going, expert.commands(turns), strict=True):
        if isinstance(command, EngineFault):
            found[index] = command
        elif command is None:
            one.over = True
        else:
            try:
                one.take(command)
            except EngineFault as fault:
                found[index] = fault
