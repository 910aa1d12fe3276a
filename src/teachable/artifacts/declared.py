"""What a module declares of itself in a literal, read without running it: figures, tables and selection methods."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachable.errors import TeachableError

NAME = "ABOUT"


def declared(path: Path) -> Mapping[str, Any]:
    """The literal ``ABOUT`` of a module. Raises TeachableError, with the file and what it needs, for anything else."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == NAME:
            try:
                found = ast.literal_eval(node.value)
            except ValueError:
                raise TeachableError(f"{path}: {NAME} must be written in literals: it is read, not run.") from None
            if isinstance(found, dict):
                return found
    raise TeachableError(f"{path}: it needs {NAME} = {{...}}, what it is, in literals.")


def modules(folder: Path) -> dict[str, Mapping[str, Any]]:
    """What every module of a folder declares, by the module's name, in alphabetical order."""
    return {path.stem: declared(path) for path in sorted(folder.glob("[!_]*.py"))}
