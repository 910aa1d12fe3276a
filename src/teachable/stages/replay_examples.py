"""Decisions of the student's own won episodes, to be trained on beside the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.models import load_prompter
from teachable.training.replay import replay_examples

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

ABOUT = {
    "about": "collect decisions of the student's own won episodes",
    "inputs": "steps* episodes* labeled panels retention student",
    "outputs": {"replay": ("phase2/replay.parquet", "EXAMPLES")},
}


def run(
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    retention: pl.DataFrame,
    student: Path,
) -> pl.DataFrame:
    """Games that evaluate or are retained give nothing; games that were never labelled may."""
    held_out = {*panels.filter(side="held_out")["task_id"], *retention["task_id"]}
    return replay_examples(steps, episodes, held_out, load_prompter(student).render_decision, labeled)
