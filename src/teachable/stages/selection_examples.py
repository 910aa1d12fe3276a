"""The training set of one selection run, as plain demonstrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.models import load_prompter
from teachable.training.budget import Replay
from teachable.training.sets import selection_sets

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import polars as pl

ABOUT = {
    "about": "make the training sets of the selections",
    "inputs": "selection labeled expert advice panels replay student",
    "outputs": {
        "selection_examples": ("phase5/examples/{run}.parquet", "EXAMPLES"),
        "selection_budget": ("phase5/budget/{run}.parquet", "BUDGET"),
    },
    "params": "selection.epochs training.batch_size share=selection.replay",
    "own": {"k": "int"},
}


def run(
    selection: pl.DataFrame,
    labeled: pl.DataFrame,
    expert: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    replay: pl.DataFrame,
    student: Path,
    epochs: int,
    batch_size: int,
    share: float,
    k: int,
) -> dict[str, Any]:
    prompter = load_prompter(student)
    examples, budget = selection_sets(
        labeled,
        advice,
        panels,
        selection,
        prompter.render,
        prompter.count_tokens,
        Replay(share, replay.height, epochs, batch_size),
        expert=expert,
        target=k,
    )
    return {"selection_examples": examples, "selection_budget": budget}
