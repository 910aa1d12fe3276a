"""The teacher's advice on one shard of the snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.advising import advise
from teachable.stages.common import Reporter, shard_of
from teachable.stages.games import games_root, open_world
from teachable.stages.tasks import read_tasks
from teachable.worlds import get_reasons

if TYPE_CHECKING:
    from teachable.stages.params import Advise
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Advise) -> None:
    advice = advise(
        open_world(params.world),
        games_root(inputs["games"]),
        {task.task_id: task for task in read_tasks(*inputs["tasks"])},
        shard_of(tables.read(inputs["snapshots"][0], tables.SNAPSHOTS), params.shard, params.shards),
        params.teacher,
        get_reasons(params.world.name),
        layout=params.student_layout,
        progress=Reporter("snapshots advised"),
    )
    tables.write(advice, outputs["advice"], tables.ADVICE)
