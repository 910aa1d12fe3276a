"""Loading the student that a run is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable import tables
from teachable.student.files import STUDENT_FILE, locate, read_json
from teachable.student.prompt import Context, Layout, get_layout
from teachable.supervision import context_fields, register_of, renderer

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
        adapters=adapters or {},
    )


@dataclass(frozen=True, slots=True)
class Prompter:
    """The student's prompts and tokens without its weights."""

    layout: Layout
    tokenizer: Any

    def render(self, snapshot: Mapping[str, Any], advice: Mapping[str, Any], format: str) -> tuple[str, str]:
        """Prompt and completion of the supervised example of a snapshot in one format."""
        texts = renderer(lambda fields: self.layout.render(Context(**fields)), register_of(self.layout.name))
        return texts(snapshot, advice, format)

    def render_decision(self, snapshot: Mapping[str, Any], command: str) -> tuple[str, str]:
        """Plain prompt and completion of a decision."""
        return self.layout.render(Context(**context_fields(snapshot))), command

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False).input_ids]


def load_prompter(directory: Path) -> Prompter:
    """Prompts of the student in ``directory``; reads its tokenizer only."""
    from transformers import AutoTokenizer

    settings = tables.read_json(directory / SETTINGS)
    local = directory / WEIGHTS
    home = local if local.exists() else locate(settings["path"], settings["revision"])
    tokenizer = AutoTokenizer.from_pretrained(str(home), trust_remote_code=False)
    record = read_json(home / STUDENT_FILE) if (home / STUDENT_FILE).exists() else {}
    return Prompter(get_layout(str(record.get("layout", "chat")), tokenizer), tokenizer)
