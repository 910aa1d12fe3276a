"""Play one model on test tasks, failure snapshots and retention tasks, and probe its decisions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.evaluation.decisions import decision_probes
from teachable.evaluation.panels import Repeats, panel_starts, play_panels
from teachable.rollouts.episodes import PlaySettings
from teachable.stages.common import Reporter
from teachable.stages.games import games_root, open_world, shared_environments
from teachable.stages.models import ABSENT, load_student
from teachable.stages.tasks import read_tasks
from teachable.terms import BASE
from teachable.worlds import get_words

if TYPE_CHECKING:
    from teachable.stages.params import Evaluate
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Evaluate) -> None:
    adapter = None if params.model == BASE else params.model
    if adapter is not None and (inputs["adapter"][0] / ABSENT).exists():
        print(f"{params.model}: not trained, so not played", flush=True)
        tables.write(tables.empty(tables.EPISODES), outputs["episodes"], tables.EPISODES)
        tables.write(tables.empty(tables.PROBES), outputs["probes"], tables.PROBES)
        return
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    panels = tables.read(inputs["panels"][0], tables.PANELS)
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    student = load_student(inputs["student"][0], {} if adapter is None else {adapter: inputs["adapter"][0]})
    episodes = play_panels(
        student,
        open_world(params.world),
        panel_starts(
            labeled,
            panels,
            tables.read(inputs["retention"][0], tables.PANELS),
            tasks,
            read_tasks(*inputs["test_tasks"]),
        ),
        Repeats(params.test_repeats, params.failure_repeats, params.retention_repeats),
        PlaySettings(max_steps=params.world.max_steps, horizon=params.horizon),
        games=games_root(inputs["games"]),
        test_games=games_root(inputs["test_games"]),
        run_seed=params.seed,
        model=params.model,
        adapter=adapter,
        environments=partial(shared_environments, params.world),
        progress=Reporter("episodes"),
    )
    failure = panels.filter(pl.col("panel") == "failure")["snapshot_id"]
    rows = labeled.filter(pl.col("snapshot_id").is_in(failure.implode()))
    probes = decision_probes(student, rows, get_words(params.world.name), model=params.model, adapter=adapter)
    trained = pl.lit(params.train_seed, pl.Int64).alias("train_seed")
    episodes, probes = episodes.with_columns(trained), probes.with_columns(trained)
    tables.write(episodes, outputs["episodes"], tables.EPISODES)
    tables.write(probes, outputs["probes"], tables.PROBES)
