"""Success probabilities behind one shard of the snapshots, by rollout trees or by Monte Carlo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from teachable import tables
from teachable.rollouts.sessions import starts_of
from teachable.rollouts.values import Question
from teachable.stages.common import Reporter, shard_of
from teachable.stages.models import load_student
from teachable.stages.tasks import read_tasks
from teachable.stages.valuing import answers, patches_of

if TYPE_CHECKING:
    from teachable.stages.params import ActionValues
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: ActionValues) -> None:
    snapshots = shard_of(tables.read(inputs["snapshots"][0], tables.SNAPSHOTS), params.shard, params.shards)
    advice: dict[str, Mapping[str, Any]] = {
        row["snapshot_id"]: row for row in tables.read(inputs["advice"][0], tables.ADVICE).iter_rows(named=True)
    }
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    student = load_student(inputs["student"][0])
    questions = [
        Question(start, patches_of(row, advice.get(row["snapshot_id"]), student.layout))
        for start, row in zip(starts_of(snapshots, tasks), snapshots.iter_rows(named=True), strict=True)
    ]
    values = answers(student, inputs, params, questions, Reporter("snapshots valued"))
    tables.write(values.estimates, outputs["estimates"], tables.ESTIMATES)
    tables.write(values.action_values, outputs["action_values"], tables.ACTION_VALUES)
    tables.write(values.episodes, outputs["episodes"], tables.EPISODES)
    tables.write(values.nodes, outputs["nodes"], tables.TREE_NODES)
