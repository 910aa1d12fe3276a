"""Record which model or adapter is the expert; the one place where its path or hub name is resolved.

Only where ``expert.source`` is ``checkpoint``. It is loaded and tried out here, before any episode. What stands in the
record is in the keys of all that the expert plays, so that two checkpoints never share a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.errors import ConfigError
from teachable.pipeline.experts import link_expert
from teachable.pipeline.models import load_student

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from teachable.config import model as c
    from teachable.config.expert import Expert
    from teachable.student.model import Student as Loaded

ABOUT = {
    "about": "try out the checkpoint that plays on as the expert, and record which it is",
    "inputs": "base=student?",
    "outputs": {"checkpoint": ("expert.json", "LINKED_EXPERT", "kind model or adapter, path, content; how it answers")},
    "params": "expert student",
    "student": True,
    "beside": "teachable.pipeline.experts.beside",
}


def run(base: Path | None, expert: Expert, student: c.Student) -> dict[str, Any]:
    """``base``: the student as linked, for an adapter.

    Raises StudentError when the path or hub name is not on this machine, or cannot play.
    """

    def loaded() -> Loaded:
        if base is None:
            raise ConfigError("expert.path is an adapter, and the student that it is for was not given.")
        return load_student(base)

    return link_expert(expert, student, loaded)
