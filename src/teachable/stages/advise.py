"""The teacher's advice on one shard of the snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.rollouts.expert import Oracle
from teachable.rollouts.sessions import Tables, starts_of
from teachable.rollouts.values import Question, expert_actions
from teachable.stages.common import Reporter, shard_of
from teachable.stages.games import games_root, open_world
from teachable.stages.tasks import read_tasks
from teachable.supervision import register_of
from teachable.teacher.advise import advise_snapshots
from teachable.teacher.settings import TeacherSettings
from teachable.worlds.base import EngineFault

if TYPE_CHECKING:
    from teachable.stages.params import Advise
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Advise) -> None:
    """Raises EngineFault when a snapshot's game fails, TeacherError when the teacher cannot be asked."""
    snapshots = shard_of(tables.read(inputs["snapshots"][0], tables.SNAPSHOTS), params.shard, params.shards)
    snapshots = snapshots.filter(pl.col("kind") == "failure")  # interval snapshots serve recovery depth only
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    questions = [Question(start) for start in starts_of(snapshots, tasks)]
    commands: dict[str, str | None] = {}
    with Tables(open_world(params.world), games_root(inputs["games"])) as opened:
        for question in questions:
            (answer,) = expert_actions(opened, [question], Oracle())
            opened.release(question.start.task)
            if isinstance(answer, EngineFault):
                raise answer
            commands[question.name] = answer
    advice = advise_snapshots(
        snapshots,
        commands,
        TeacherSettings(**params.teacher.model_dump()),
        register=register_of(params.student_layout),
        progress=Reporter("snapshots advised"),
    )
    tables.write(advice, outputs["advice"], tables.ADVICE)
