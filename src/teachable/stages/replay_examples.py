"""Decisions of the student's own won episodes, to be trained on beside the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.stages.models import load_prompter
from teachable.training.budget import Replay
from teachable.training.replay import replay_examples

if TYPE_CHECKING:
    from pathlib import Path

    from teachable.stages.params import Nothing, Replaying
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Nothing) -> None:
    """Games that evaluate or are retained give nothing; games that were never labelled may."""
    panels = tables.read(inputs["panels"][0], tables.PANELS).filter(pl.col("side") == "held_out")
    retention = tables.read(inputs["retention"][0], tables.PANELS)
    replay = replay_examples(
        pl.concat(tables.read(path, tables.STEPS) for path in inputs["steps"]),
        pl.concat(tables.read(path, tables.EPISODES) for path in inputs["episodes"]),
        {*panels["task_id"], *retention["task_id"]},
        load_prompter(inputs["student"][0]).render_decision,
        tables.read(inputs["labeled"][0], tables.LABELED),
    )
    tables.write(replay, outputs["replay"], tables.EXAMPLES)


def replay_of(path: Path, params: Replaying) -> Replay:
    """What an epoch replays, by the configuration and by how much there is in the table at ``path``."""
    return Replay(params.replay, tables.read(path, tables.EXAMPLES).height, params.epochs, params.batch_size)
