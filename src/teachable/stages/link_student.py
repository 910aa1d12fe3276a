"""Record which model is the student and how it answers; the one place where a hub name or path is resolved.

The model is loaded and tried out here, before any game: whatever would end a run later ends this stage. Device and
precision are resolved here, too, and recorded, so that what a GPU computed in bfloat16 and what a CPU computed in
float32 have different keys.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.models import SETTINGS, WEIGHTS, link

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from teachable.config import model as c

ABOUT = {
    "about": "try out the student, and record which model it is and how it answers",
    "inputs": "weights?",
    "outputs": {"student": ("student",)},
    "params": "student",
    "student": True,
    "beside": "teachable.pipeline.models.beside",
}


def run(weights: Path | None, out: Mapping[str, Path], student: c.Student) -> None:
    """For the built-in student the weights are copied; a pretrained model stays where it is.

    Raises StudentError when the path or hub name is not on this machine, or the model cannot be a student.
    """
    directory = out["student"]
    directory.mkdir(parents=True)
    if weights is not None:
        shutil.copytree(weights, directory / WEIGHTS, ignore=shutil.ignore_patterns(".snakemake*"))
    settings = link(student, None if weights is None else directory / WEIGHTS)
    tables.write_json(settings, directory / SETTINGS)
