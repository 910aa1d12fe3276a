"""What lies in a folder of results: tables by the names of results, whole or in parts, and the configuration."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS, Artifact
from teachable.errors import MissingInput, TeachableError

_PATHS = {artifact.path for artifact in ARTIFACTS.values()}  # a table of its own may have the name of another's whole


class ExportError(TeachableError):
    """Results that cannot be exported as asked."""


class Found:
    """Results in ``root``. Raises MissingInput where that is no folder, or nothing of the workflow lies in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if not root.is_dir():
            raise MissingInput(f"{root} is no folder: name one with results, as `make run` leaves them in results/.")
        if not (root / ARTIFACTS["config"].path).exists() and not any(root.glob("phase*/")):
            raise MissingInput(
                f"{root} holds no results of the workflow: `snakemake -c 2` makes them in results/, and another run's "
                "are named as `teachable export KIND DIR`."
            )

    def schema(self, name: str) -> tables.Table:
        """The schema of the table ``name``."""
        schema: tables.Table = getattr(tables, str(ARTIFACTS[name].schema))
        return schema

    def files(self, name: str) -> list[Path]:
        """The table put together, where it is, else its parts; none where there is neither."""
        artifact = ARTIFACTS[name]
        if name == "tasks" and (found := sorted(self.root.glob("phase0/tasks_*.parquet"))):
            return found  # put together by split
        parted = artifact.whole != artifact.path
        if (whole := self.root / artifact.whole).is_file() and not (parted and artifact.whole in _PATHS):
            return [whole]
        pattern = artifact.path.replace("{phase}", "phase*").replace("{model}", "*/*")
        return sorted(self.root.glob(re.sub(r"\{\w+\}", "*", pattern))) if "*" in pattern or "{" in pattern else []

    def need(self, name: str) -> Path:
        """The whole table ``name``; MissingInput, with the command that makes it, where there is none."""
        artifact = ARTIFACTS[name]
        path = self.root / artifact.whole
        if not path.is_file():
            raise MissingInput(f"{path} is missing: `snakemake -c 2 {_phase(artifact)}` makes it.")
        return path

    def read(self, name: str) -> pl.DataFrame:
        """The whole table ``name``, checked; the errors of :meth:`need` and of :func:`teachable.tables.read`."""
        return tables.read(self.need(name), self.schema(name))

    def batches(self, *names: str) -> Iterator[pl.DataFrame]:
        """All rows of the tables ``names`` that there are, a row group at a time, each checked."""
        for name in names:
            for path in self.files(name):
                yield from tables.batches(path, self.schema(name))

    def config(self) -> Mapping[str, Any]:
        """The resolved configuration; empty where there is none."""
        path = self.root / ARTIFACTS["config"].path
        found: Mapping[str, Any] = tables.read_json(path) if path.exists() else {}
        return found

    def layout(self) -> str:
        """The name of the layout of the student's prompts."""
        student = self.config().get("student", {})
        plain = "compact" if student.get("source", "builtin") == "builtin" else "chat"
        return str(student.get("layout") or plain)


def _phase(artifact: Artifact) -> str:
    """The target of the workflow that makes a result."""
    top = artifact.path.partition("/")[0]
    return top if top.startswith("phase") else "phase0"


def chosen(asked: Sequence[str], there: Iterable[str], what: str) -> list[str]:
    """Those of ``there`` that are asked for, all where none is; ExportError, with the nearest, for what is not."""
    known = list(dict.fromkeys(there))
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise ExportError(f"no {what} is called {name!r}; {meant}There are {', '.join(known) or 'none'}.")
    return [name for name in known if name in asked] if asked else known
