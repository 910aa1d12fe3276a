"""From training-side snapshots the teacher's command, then the student by itself: what it wins so is replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.collecting import continue_after_advice
from teachable.rollouts.episodes import PlaySettings
from teachable.stages.common import Reporter
from teachable.stages.games import games_root, open_world
from teachable.stages.models import load_student
from teachable.stages.tasks import read_tasks
from teachable.training.sets import teachable_pool

if TYPE_CHECKING:
    from teachable.stages.params import Continuations
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Continuations) -> None:
    advice = tables.read(inputs["advice"][0], tables.ADVICE)
    panels = tables.read(inputs["panels"][0], tables.PANELS)
    played = continue_after_advice(
        load_student(inputs["student"][0]),
        open_world(params.world),
        games_root(inputs["games"]),
        {task.task_id: task for task in read_tasks(*inputs["tasks"])},
        teachable_pool(tables.read(inputs["labeled"][0], tables.LABELED), advice, panels),
        advice,
        params.continuations,
        settings=PlaySettings(max_steps=params.world.max_steps, horizon=params.horizon),
        run_seed=params.seed,
        progress=Reporter("episodes"),
    )
    tables.write(played.steps, outputs["steps"], tables.STEPS)
    tables.write(played.episodes, outputs["episodes"], tables.EPISODES)
