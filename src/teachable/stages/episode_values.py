"""The chance of success at every decision of the failed episodes of one shard, for ``snapshots.mode: fall``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.pipeline.valuing import estimate
from teachable.rollouts.sessions import starts_of
from teachable.rollouts.snapshots import decisions_of_failures
from teachable.rollouts.values import Query
from teachable.stages.common import Reporter, tell_faults
from teachable.stages.games import games_root, open_world
from teachable.stages.models import load_student
from teachable.stages.tasks import read_tasks

if TYPE_CHECKING:
    from teachable.stages.params import EpisodeValues
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: EpisodeValues) -> None:
    decisions = decisions_of_failures(
        tables.read(inputs["steps"][0], tables.STEPS), tables.read(inputs["episodes"][0], tables.EPISODES)
    )
    once = decisions.unique(["task_id", "prefix"], keep="first", maintain_order=True)
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    queries = [Query(start, purpose="fall") for start in starts_of(once, tasks)]
    values = estimate(
        load_student(inputs["student"][0]),
        open_world(params.world),
        games_root(inputs["games"]),
        queries,
        params.estimation,
        max_steps=params.world.max_steps,
        run_seed=params.seed,
        progress=Reporter("decisions valued"),
    )
    tell_faults(values.faults)
    known = values.estimates.filter(pl.col("quantity") == "p_policy").select("snapshot_id", "value", "se")
    valued = once.join(known, on="snapshot_id").select("task_id", "prefix", "value", "se")
    found = decisions.join(valued, on=["task_id", "prefix"]).select(list(tables.EPISODE_VALUES))
    tables.write(found.sort("episode_id", "step"), outputs["values"], tables.EPISODE_VALUES)
