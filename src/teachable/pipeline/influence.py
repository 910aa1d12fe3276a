"""Phase 5: which way each training-side example would pull the student."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import seeds, tables
from teachable.pipeline.prompting import Prompter
from teachable.rollouts.episodes import Progress
from teachable.selection.pool import candidates, training_side
from teachable.student.completions import Example
from teachable.student.gradients import lora_gradients
from teachable.student.lora import LoraSettings

if TYPE_CHECKING:
    from teachable.config import model as c
    from teachable.student.model import Student

DIMENSIONS = 4096
"""Length of a projected gradient: products are off by some 2 % of the norms, and 1,500 of them are 25 MB."""


def slopes(
    student: Student,
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    lora: c.Lora,
    *,
    run_seed: int,
    dimensions: int = DIMENSIONS,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """``GRADIENTS`` of every snapshot that a selection may choose from the student's failures, by id.

    Each is an example as selections are trained on: plain prompt, the teacher's command. ``labeled`` (LABELED) and
    ``panels`` (PANELS) may hold held-out games: none of them is looked at. Raises StudentError as
    :func:`~teachable.student.gradients.lora_gradients` does.
    """
    pool = candidates(training_side(labeled, panels), source="student").drop_nulls("suggested_action")
    if pool.is_empty():
        return tables.empty(tables.GRADIENTS)
    prompter = Prompter(student.layout_spec, student.tokenizer)
    examples = [Example(*prompter.render_decision(row, row["suggested_action"])) for row in pool.iter_rows(named=True)]
    found = lora_gradients(
        student,
        examples,
        LoraSettings(rank=lora.rank, alpha=lora.alpha, gradient_checkpointing=student.device.type == "cuda"),
        seed=seeds.integer(run_seed, "influence", "adapter"),
        dimensions=dimensions,
        generator=seeds.stream(run_seed, "influence", "projection"),
        progress=progress,
    )
    made = pool.select("snapshot_id", "task_id").with_columns(
        pl.Series("loss", found.losses),
        pl.Series("norm", found.norms),
        pl.Series("vector", found.vectors.tolist(), dtype=pl.List(pl.Float32)),
    )
    return tables.conform(made, tables.GRADIENTS, "gradients")
