"""Success probabilities behind one shard of the snapshots, by rollout trees or by Monte Carlo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.valuing import value_snapshots
from teachable.stages.common import Reporter, shard_of, tell_faults
from teachable.stages.games import games_root, open_world
from teachable.stages.models import load_student
from teachable.stages.tasks import read_tasks

if TYPE_CHECKING:
    from teachable.stages.params import ActionValues
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: ActionValues) -> None:
    student = load_student(inputs["student"][0])
    values = value_snapshots(
        student,
        open_world(params.world),
        games_root(inputs["games"]),
        {task.task_id: task for task in read_tasks(*inputs["tasks"])},
        shard_of(tables.read(inputs["snapshots"][0], tables.SNAPSHOTS), params.shard, params.shards),
        tables.read(inputs["advice"][0], tables.ADVICE),
        params.estimation,
        layout=student.layout,
        max_steps=params.world.max_steps,
        run_seed=params.seed,
        progress=Reporter("snapshots valued"),
    )
    tell_faults(values.faults)
    tables.write(values.estimates, outputs["estimates"], tables.ESTIMATES)
    tables.write(values.action_values, outputs["action_values"], tables.ACTION_VALUES)
    tables.write(values.episodes, outputs["episodes"], tables.EPISODES)
    tables.write(values.nodes, outputs["nodes"], tables.TREE_NODES)
