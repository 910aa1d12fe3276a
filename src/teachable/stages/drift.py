"""The patch test and the retention panel again, at the checkpoints of one run."""

from __future__ import annotations

from collections.abc import Sequence
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
from teachable.stages.games import games_root, open_world
from teachable.stages.models import ABSENT, load_student
from teachable.stages.tasks import read_tasks

if TYPE_CHECKING:
    from teachable.stages.params import Drift
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Drift) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    panels = tables.read(inputs["panels"][0], tables.PANELS)
    advice = {row["snapshot_id"]: row for row in tables.read(inputs["advice"][0], tables.ADVICE).iter_rows(named=True)}
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    world, games = open_world(params.world), games_root(inputs["games"])
    run_directory = inputs["adapter"][0]
    if (run_directory / ABSENT).exists():
        print(f"{params.model}: not trained, so it cannot drift", flush=True)
        tables.write(tables.empty(tables.DRIFT), outputs["drift"], tables.DRIFT)
        tables.write(tables.empty(tables.EPISODES), outputs["episodes"], tables.EPISODES)
        tables.write(tables.empty(tables.EPISODES), outputs["patch_test"], tables.EPISODES)
        return
    shares = sorted((run_directory / "checkpoints").iterdir(), key=lambda path: float(path.name))
    if len(shares) != len(CHECKPOINTS) - 1:
        raise ConfigError(
            f"{run_directory}: run {params.model} has {len(shares)} checkpoints on the way, drift needs "
            f"{len(CHECKPOINTS) - 1}: train it for three steps at least (training.epochs, training.max_examples), or "
            "name another run in evaluation.drift_runs."
        )
    checkpoints = dict(zip(CHECKPOINTS, [*shares, run_directory], strict=True))
    adapters = {checkpoint: checkpoint_name(params.model, checkpoint) for checkpoint in CHECKPOINTS}
    student = load_student(inputs["student"][0], {adapters[c]: path for c, path in checkpoints.items()})
    budget = params.drift_episodes
    estimation = params.estimation.model_copy(
        update={
            "tree_episodes": budget,
            "condition_episodes": budget,
            "policy_episodes": 1,  # not needed here: the patch test has its own base condition
            "force_episodes": 1,
            "expert_episodes": 1,
        }
    )
    value = valuer(world, games, estimation, max_steps=params.world.max_steps, run_seed=params.seed)
    tested = [tables.empty(tables.EPISODES)]

    def logged(policy: Policy, queries: Sequence[Query]) -> Values:
        values = value(policy, queries)
        tested.append(values.episodes)
        return values

    rows = drift_panel(labeled, panels)
    drift = drift_rows(
        student,
        rows,
        starts_of(rows, tasks),
        {
            row["snapshot_id"]: patches_of(row, advice.get(row["snapshot_id"]), student.layout)
            for row in rows.iter_rows(named=True)
        },
        logged,
        labeled,
        model=params.model,
        adapters=adapters,
    )
    retention = tables.read(inputs["retention"][0], tables.PANELS).sort("order")["task_id"]
    starts = [Start(tasks[task_id]) for task_id in retention]
    specs = [
        spec
        for name in adapters.values()
        for spec in panel_specs("retention", starts, params.retention_repeats, model=name, adapter=name)
    ]
    settings = PlaySettings(max_steps=params.world.max_steps)
    played = play(student, world, games, specs, settings, run_seed=params.seed).episodes
    tables.write(drift, outputs["drift"], tables.DRIFT)
    tables.write(pl.concat(tested), outputs["patch_test"], tables.EPISODES)
    tables.write(pl.concat([tables.empty(tables.EPISODES), played]), outputs["episodes"], tables.EPISODES)
