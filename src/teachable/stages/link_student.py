"""Record which model is the student and how it answers; the one place where a hub name or path is resolved."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.models import SETTINGS, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from teachable.config import model as c

ABOUT = {
    "about": "record which model is the student and how it answers",
    "inputs": "weights?",
    "outputs": {"student": ("student",)},
    "params": "student",
}


def run(weights: Path | None, out: Mapping[str, Path], student: c.Student) -> None:
    """For the built-in student the weights are copied; a pretrained model stays where it is.

    Raises StudentError when the path or hub name is not on this machine.
    """
    from teachable.student.files import fingerprint, locate

    directory = out["student"]
    directory.mkdir(parents=True)
    settings = student.model_dump()
    if weights is not None:
        shutil.copytree(weights, directory / WEIGHTS, ignore=shutil.ignore_patterns(".snakemake*"))
        settings["fingerprint"] = fingerprint(directory / WEIGHTS)
    else:
        settings["fingerprint"] = fingerprint(locate(student.path or "", student.revision))
    tables.write_json(settings, directory / SETTINGS)
