"""Loading the student that a run is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.prompting import Prompter
from teachable.student.files import STUDENT_FILE, locate, read_json
from teachable.student.prompt import layout_of

if TYPE_CHECKING:
    from teachable.student.model import Student

SETTINGS = "settings.json"
WEIGHTS = "weights"
ABSENT = "absent.json"  # all there is in the adapter directory of a run that could not be trained


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
        layout=settings["layout"],
        adapters=adapters or {},
    )


def load_prompter(directory: Path) -> Prompter:
    """Prompts of the student in ``directory``; reads its tokenizer only."""
    from transformers import AutoTokenizer

    settings = tables.read_json(directory / SETTINGS)
    local = directory / WEIGHTS
    home = local if local.exists() else locate(settings["path"], settings["revision"])
    tokenizer = AutoTokenizer.from_pretrained(str(home), trust_remote_code=False)
    record = read_json(home / STUDENT_FILE) if (home / STUDENT_FILE).exists() else {}
    return Prompter(layout_of(record, tokenizer, settings["layout"]), tokenizer)
