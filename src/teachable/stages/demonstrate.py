"""Play of an expert, a noisy expert and a demonstrator with gaps: what the built-in student is cloned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.stages.common import Reporter
from teachable.stages.games import games_root, open_world
from teachable.stages.tasks import read_tasks
from teachable.training.demonstrations import demonstrate
from teachable.training.gaps import Gap
from teachable.worlds import get_words

if TYPE_CHECKING:
    from teachable.stages.params import Demonstrate
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Demonstrate) -> None:
    decisions = demonstrate(
        open_world(params.world),
        games_root(inputs["games"]),
        read_tasks(*inputs["tasks"]),
        get_words(params.world.name),
        trajectories=params.trajectories,
        noise=params.noise,
        gaps={skill: Gap(gap.known, gap.otherwise) for skill, gap in params.gaps.items()},
        own_lights=params.own_lights,
        run_seed=params.seed,
        max_steps=params.world.max_steps,
        progress=Reporter("games demonstrated"),
    )
    rows = [
        {
            "key": decision.key,
            "goal": decision.context.goal,
            "memo": decision.context.memo,
            "scene": decision.context.scene,
            "observation": decision.context.observation,
            "history": [{"command": c, "observation": o} for c, o in decision.context.history],
            "commands": list(decision.context.commands),
            "expert_action": decision.expert,
            "demonstrator_action": decision.demonstrator,
        }
        for decision in decisions
    ]
    tables.write(
        pl.DataFrame(rows, schema=dict(tables.DEMONSTRATIONS)),
        outputs["demonstrations"],
        tables.DEMONSTRATIONS,
    )
