"""Phase 3: the patch test and the retention panel again, at the checkpoints of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.errors import ConfigError
from teachable.evaluation.drift import CHECKPOINTS, checkpoint_name, drift_panel, drift_rows
from teachable.evaluation.panels import panel_specs
from teachable.pipeline.valuing import patches_of, valuer
from teachable.rollouts.episodes import PlaySettings, play
from teachable.rollouts.policy import Policy
from teachable.rollouts.sessions import Start, starts_of
from teachable.rollouts.values import Query, Values
from teachable.worlds.base import Task, World

if TYPE_CHECKING:
    from teachable.config import model as c
    from teachable.student.model import Student


class TooShort(ConfigError):
    """A run was trained for fewer steps than it should have checkpoints."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """``DRIFT`` rows, and the ``EPISODES`` of the retention panel and of the patch tests."""

    rows: pl.DataFrame
    retention: pl.DataFrame
    patch_test: pl.DataFrame


def checkpoints_of(run: str, directory: Path) -> dict[str, Path]:
    """Where the first, middle and last checkpoint of ``run`` lie, by the name of each as an adapter.

    Raises TooShort when the run was too short to have them.
    """
    shares = sorted((directory / "checkpoints").glob("*"), key=lambda path: float(path.name))
    if len(shares) != len(CHECKPOINTS) - 1:
        raise TooShort(
            f"{directory}: run {run} has {len(shares)} checkpoints on the way, drift needs "
            f"{len(CHECKPOINTS) - 1}: train it for three steps at least (training.epochs, training.max_examples), or "
            "name another run in evaluation.drift_runs."
        )
    places = zip(CHECKPOINTS, [*shares, directory], strict=True)
    return {checkpoint_name(run, checkpoint): place for checkpoint, place in places}


def drift(
    student: Student,
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    retention: pl.DataFrame,
    estimation: c.Estimation,
    *,
    model: str,
    adapters: Sequence[str],
    episodes: int,
    retention_repeats: int,
    max_steps: int,
    run_seed: int,
) -> Drifted:
    """``student`` has ``adapters``, one of each of :data:`CHECKPOINTS` of the run ``model``; ``episodes`` are played
    for every estimate. Tables are LABELED, ADVICE and PANELS."""
    given = {row["snapshot_id"]: row for row in advice.iter_rows(named=True)}
    estimation = estimation.model_copy(
        update={
            "tree_episodes": episodes,
            "condition_episodes": episodes,
            "policy_episodes": 1,  # not needed here: the patch test has its own base condition
            "force_episodes": 1,
            "expert_episodes": 1,
        }
    )
    value = valuer(world, games, estimation, max_steps=max_steps, run_seed=run_seed)
    tested = [tables.empty(tables.EPISODES)]

    def logged(policy: Policy, queries: Sequence[Query]) -> Values:
        values = value(policy, queries)
        tested.append(values.episodes)
        return values

    rows = drift_panel(labeled, panels)
    found = drift_rows(
        student,
        rows,
        starts_of(rows, tasks),
        {
            row["snapshot_id"]: patches_of(row, given.get(row["snapshot_id"]), student.layout)
            for row in rows.iter_rows(named=True)
        },
        logged,
        labeled,
        model=model,
        adapters=dict(zip(CHECKPOINTS, adapters, strict=True)),
    )
    played = retention_at(
        student,
        world,
        games,
        tasks,
        retention,
        adapters,
        repeats=retention_repeats,
        max_steps=max_steps,
        run_seed=run_seed,
    )
    return Drifted(found, played, pl.concat(tested))


def retention_at(
    student: Student,
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    retention: pl.DataFrame,
    adapters: Sequence[str],
    *,
    repeats: int,
    max_steps: int,
    run_seed: int,
) -> pl.DataFrame:
    """``EPISODES`` of the panel ``retention`` (PANELS), played ``repeats`` times with each of ``adapters`` of
    ``student``; a row's model is its adapter's name. The draws are those of the base student's first training."""
    starts = [Start(tasks[task_id]) for task_id in retention.sort("order")["task_id"]]
    specs = [spec for name in adapters for spec in panel_specs("retention", starts, repeats, model=name, adapter=name)]
    played = play(student, world, games, specs, PlaySettings(max_steps=max_steps), run_seed=run_seed).episodes
    return pl.concat([tables.empty(tables.EPISODES), played])
