"""Loading the student that a run is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teachable import tables

if TYPE_CHECKING:
    from teachable.student.model import Student

SETTINGS = "settings.json"
WEIGHTS = "weights"


def load_student(directory: Path, adapters: dict[str, Path] | None = None) -> Student:
    """The student that ``link-student`` recorded in ``directory``."""
    from teachable.student.model import Student

    settings = tables.read_json(directory / SETTINGS)
    local = directory / WEIGHTS
    return Student.load(
        local if local.exists() else settings["path"],
        revision=settings["revision"],
        device=settings["device"],
        dtype=settings["dtype"],
        batch_tokens=settings["batch_tokens"],
        temperature=settings["temperature"],
        length_normalisation=settings["length_normalisation"],
        adapters=adapters or {},
    )
