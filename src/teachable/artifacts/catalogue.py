"""Every result of the workflow: its name, where it lies, what it is, and which stage writes it.

A result is stated once, by the stage that writes it: in ``ABOUT["outputs"]`` of the stage's module, which is read here
without running it. Rules, runner, paper and report know results by these names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachable.artifacts.declared import modules
from teachable.errors import TeachableError

RESULTS = "results"
STAGES_FOLDER = Path(__file__).parents[1] / "stages"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One result.

    ``path`` is relative to :data:`RESULTS`; a wildcard as in ``phase1/estimates/{shard}.parquet`` stands for its parts;
    empty: where the rule says. ``schema`` names its table in :mod:`teachable.tables`, its document there where
    the path ends in ``.json``; None: JSON of any shape, or a file or directory that the stage writes by itself.
    ``holds`` says what is in it.
    """

    name: str
    stage: str
    path: str = ""
    schema: str | None = None
    holds: str = ""

    @property
    def kind(self) -> str:
        """``table``, ``json`` or ``path``."""
        return "json" if self.path.endswith(".json") else "table" if self.schema else "path"

    @property
    def whole(self) -> str:
        """Where it lies once its parts are put together: ``phase1/estimates.parquet``."""
        head, _, last = self.path.rpartition("/")
        return f"{head}.parquet" if last.startswith("{") and last.endswith("}.parquet") else self.path


def outputs(stage: str, about: Mapping[str, Any]) -> list[Artifact]:
    """What a stage writes, as its ``ABOUT`` has it: name -> (path, schema, what it holds), the last two optional."""
    return [Artifact(name, stage, *stated) for name, stated in about["outputs"].items()]


def read(folder: Path) -> dict[str, Artifact]:
    """The results that the stages in ``folder`` write, by name. Raises TeachableError where two have one name."""
    found: dict[str, Artifact] = {}
    for module, about in modules(folder).items():
        for artifact in outputs(module.replace("_", "-"), about):
            if artifact.name in found:
                raise TeachableError(
                    f"{folder}: {artifact.name!r} is an output of the stages {found[artifact.name].stage} and "
                    f"{artifact.stage}: a result has one name and one stage."
                )
            found[artifact.name] = artifact
    return found


ARTIFACTS: dict[str, Artifact] = read(STAGES_FOLDER)
