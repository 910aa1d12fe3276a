"""What a stage declares is what its function asks for, no more and no less."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from teachable import tables
from teachable.artifacts import catalogue, runner
from teachable.errors import TeachableError
from teachable.stages import STAGES

WHOLE = {"data", "inputs"}  # a function that asks for one of these may read every input


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_asks_for_what_it_declares(name: str) -> None:
    stage = STAGES[name]
    asked = set(inspect.signature(importlib.import_module(stage.module).run).parameters)
    inputs, params = set(stage.input_names) - {""}, set(stage.params.model_fields)
    assert not inputs & params, "one name, one thing"
    assert asked <= inputs | params | WHOLE | {"out"}
    assert params <= asked, "a parameter that nobody reads would rerun the stage for nothing"
    assert inputs <= asked or asked & WHOLE
    own = [artifact for artifact in stage.outputs.values() if artifact.kind == "path"]
    assert bool(own) == ("out" in asked)
    assert all(artifact.schema is None or hasattr(tables, artifact.schema) for artifact in stage.outputs.values())


@pytest.mark.parametrize("name", STAGES)
def test_every_table_and_json_document_names_its_schema(name: str) -> None:
    """A stage that somebody adds may write JSON of any shape; those that come with the package say theirs."""
    assert [one.name for one in STAGES[name].outputs.values() if one.kind != "path" and one.schema is None] == []


def test_a_result_has_one_stage(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / f"{name}.py").write_text('ABOUT = {"about": "x", "outputs": {"labels": ("labels.json",)}}\n')
    with pytest.raises(TeachableError, match=r"'labels' is an output of the stages one and other"):
        catalogue.read(tmp_path)


def test_of_several_tables_none_is_an_empty_one() -> None:
    stage = STAGES["checkpoint-summary"]
    assert runner.read(stage, "episodes", None).equals(tables.empty(tables.EPISODES))
    assert runner.read(STAGES["evaluate"], "adapter", None) is None
    assert runner.read(STAGES["training-summary"], "records", []) == []
