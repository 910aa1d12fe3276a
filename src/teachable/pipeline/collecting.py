"""Episodes of the student on training tasks, of the noisy expert (setup B), and of the student after advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from teachable import tables
from teachable.rollouts.episodes import EpisodeSpec, Played, PlaySettings, Progress, play
from teachable.rollouts.policy import Policy
from teachable.rollouts.sessions import Environment, Environments, Start, starts_of
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
    progress: Progress | None = None,
) -> Played:
    """Every task played as often as ``section`` says, ``max_steps`` commands at most; all steps are recorded.

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


def continue_with_expert(
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    snapshots: pl.DataFrame,
    *,
    max_steps: int,
    enough: int | None = None,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, dict[str, str]]:
    """``CONTINUATIONS`` rows: every decision of the expert from ``snapshots`` on, in their order, until ``enough`` of
    them (None: all there are) are of continuations that won; and what the engine failed at, by snapshot."""
    rows: list[dict[str, Any]] = []
    faults: dict[str, str] = {}
    with Environments(world, games) as opened:
        for done, start in enumerate(starts_of(snapshots, tasks), 1):
            try:
                decisions, won = _continue(opened[start.task], start, max_steps)
            except EngineFault as fault:
                faults[str(start.snapshot_id)] = str(fault)
                continue
            rows += [{**row, "success": won} for row in decisions]
            if progress is not None:
                progress(done, len(snapshots))
            if enough is not None and sum(row["success"] for row in rows) >= enough:
                break
    return pl.DataFrame(rows, schema=dict(tables.CONTINUATIONS)), faults


def _continue(environment: Environment, start: Start, max_steps: int) -> tuple[list[dict[str, Any]], bool]:
    """Every decision of the expert from ``start`` on, and whether it won."""
    moment = environment.moment(start)
    decisions: list[dict[str, Any]] = []
    for _ in range(max_steps):
        command = None if moment.state.done else environment.expert(moment)
        if command is None:
            break
        decisions.append(
            {
                "snapshot_id": start.snapshot_id,
                "task_id": start.task.task_id,
                "step": len(moment.path),
                **moment.context().columns(),
                "action": command,
            }
        )
        moment = environment.step(moment, command)
    return decisions, moment.state.won
