"""The training sets of the 14 runs, rendered as the student will read them, and their budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.models import load_prompter
from teachable.training.budget import Replay
from teachable.training.sets import SetSettings, matrix_sets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

ABOUT = {
    "about": "make the training sets of the matrix",
    "inputs": "labeled advice panels replay student",
    "outputs": {
        "examples": ("phase2/examples.parquet", "EXAMPLES", "one row a training example and run"),
        "budget": ("phase2/budget.parquet", "BUDGET", "one row a run, quadrant and format"),
    },
    "params": "seed training.max_examples training.plain trainings=training.seeds training.epochs training.batch_size "
    "share=training.replay preferring=dpo.quadrants",
}


def run(
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    replay: pl.DataFrame,
    student: Path,
    seed: int,
    max_examples: int,
    plain: float,
    trainings: int,
    epochs: int,
    batch_size: int,
    share: float,
    preferring: Sequence[str],
) -> dict[str, Any]:
    prompter = load_prompter(student)
    examples, budget = matrix_sets(
        labeled,
        advice,
        panels,
        prompter.render,
        prompter.count_tokens,
        SetSettings(seed=seed, examples_per_run=max_examples, plain=plain, trainings=trainings),
        Replay(share, replay.height, epochs, batch_size),
        preferring,
    )
    return {"examples": examples, "budget": budget}
