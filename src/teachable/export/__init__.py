"""Results of a study in the forms that other tools read: one module of ``kinds`` a form.

Works from the tables of a run: no game and no student is needed, but for its tokenizer where a prompt must be rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from teachable.artifacts.declared import modules
from teachable.export.found import ExportError, Found

__all__ = ["KINDS", "ExportError", "Found", "export"]

KINDS: dict[str, Mapping[str, Any]] = modules(Path(__file__).parent / "kinds")
"""What each kind declares of itself: ``about``, and the names of the ``options`` that it takes."""


def export(kind: str, found: Found, out: Path, **options: Any) -> str:
    """Write what ``kind`` is into the empty folder ``out``; says in a sentence what it wrote.

    ``options`` are those that the kind declares. Raises MissingInput where the results lack a table that it needs, and
    ExportError where they hold nothing to export.
    """
    said: str = import_module(f"teachable.export.kinds.{kind}").write(found, out, **options)
    return said
