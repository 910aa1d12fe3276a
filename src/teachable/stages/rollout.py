"""Student episodes on one shard of training tasks, and noisy expert episodes for setup B; every step is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.collecting import collect
from teachable.stages.common import Reporter
from teachable.stages.games import games_root, open_world
from teachable.stages.models import load_student
from teachable.stages.tasks import read_tasks

if TYPE_CHECKING:
    from teachable.stages.params import Rollout
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Rollout) -> None:
    played = collect(
        load_student(inputs["student"][0]),
        open_world(params.world),
        games_root(inputs["games"]),
        read_tasks(*inputs["tasks"]),
        params.rollouts,
        max_steps=params.world.max_steps,
        run_seed=params.seed,
        progress=Reporter("episodes"),
    )
    tables.write(played.steps, outputs["steps"], tables.STEPS)
    tables.write(played.episodes, outputs["episodes"], tables.EPISODES)
