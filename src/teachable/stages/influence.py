"""The gradient of every training-side example, for selection by influence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.influence import slopes
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "gradients of the training-side examples",
    "inputs": "labeled panels student",
    "outputs": {"gradients": ("phase5/gradients.parquet", "GRADIENTS", "one row a snapshot that may be chosen")},
    "params": "seed lora",
    "student": True,
}


def run(labeled: pl.DataFrame, panels: pl.DataFrame, student: Path, seed: int, lora: c.Lora) -> pl.DataFrame:
    return slopes(load_student(student), labeled, panels, lora, run_seed=seed, progress=Reporter("gradients"))
