"""Ask a judge at which decision failed episodes went wrong, and whether advice is right. Off by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.judging import judge as judged
from teachable.pipeline.progress import Reporter

if TYPE_CHECKING:
    import polars as pl

    from teachable.config.teacher import Judge, Teacher

ABOUT = {
    "about": "ask a judge about failed episodes and advice",
    "inputs": "steps episodes labeled advice action_values",
    "outputs": {"judgements": ("phase1/judgements.parquet", "JUDGEMENTS", "one row a question")},
    "params": "seed judge teacher",
}


def run(
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    action_values: pl.DataFrame,
    seed: int,
    judge: Judge,
    teacher: Teacher,
) -> pl.DataFrame:
    reporter = Reporter("questions judged")
    return judged(steps, episodes, labeled, advice, action_values, judge, teacher, run_seed=seed, progress=reporter)
