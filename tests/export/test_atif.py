"""Trajectories that hold to the published format: by a schema written from its specification, and its other rules."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from teachable.cli import main

from .made import COMMANDS, HOSTILE

SCHEMA = json.loads((Path(__file__).parent / "atif-v1.4.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


@pytest.fixture
def trajectories(results: Path, tmp_path: Path) -> dict[str, Any]:
    """By name of the file."""
    assert main(["export", "atif", str(results), "-o", str(tmp_path / "out")]) == 0
    return {str(path.relative_to(tmp_path / "out")): json.loads(path.read_text()) for path in tmp_path.glob("out/*/*")}


def test_every_document_holds_to_the_schema(trajectories: dict[str, Any]) -> None:
    VALIDATOR.check_schema(SCHEMA)
    assert len(trajectories) == 4
    for found in trajectories.values():
        VALIDATOR.validate(found)


def test_every_document_holds_to_what_a_schema_cannot_say(trajectories: dict[str, Any]) -> None:
    for found in trajectories.values():
        assert [step["step_id"] for step in found["steps"]] == list(range(1, len(found["steps"]) + 1))
        assert found["final_metrics"]["total_steps"] == len(found["steps"])
        calls = [call["tool_call_id"] for step in found["steps"] for call in step.get("tool_calls", ())]
        assert len(set(calls)) == len(calls)
        for step in found["steps"]:
            own = {call["tool_call_id"] for call in step.get("tool_calls", ())}
            assert {one["source_call_id"] for one in step.get("observation", {"results": []})["results"]} <= own


def test_the_schema_refuses_what_the_format_does(trajectories: dict[str, Any]) -> None:
    """A schema that takes anything would prove nothing."""

    def broken(change: Any) -> Any:
        found = copy.deepcopy(next(iter(trajectories.values())))
        change(found)
        return found

    for change in (
        lambda found: found.pop("session_id"),
        lambda found: found.update(schema_version="ATIF-v9"),
        lambda found: found.update(other=1),
        lambda found: found["agent"].pop("version"),
        lambda found: found["steps"][1].update(source="game"),
        lambda found: found["steps"][0].update(tool_calls=[]),
        lambda found: found["steps"][1]["tool_calls"][0].update(arguments="go north"),
        lambda found: found["steps"][1].pop("message"),
    ):
        assert not VALIDATOR.is_valid(broken(change))


def test_what_the_student_read_and_did(trajectories: dict[str, Any]) -> None:
    found = trajectories["easy/game0_2fstudent_2f0.json"]
    assert found["session_id"] == "game0/student/0"
    assert (found["agent"]["name"], found["agent"]["model_name"]) == ("teachable-student", "builtin")
    user, first, last = found["steps"]
    assert user["message"] == f"Get out.\n\n{HOSTILE}"
    assert first["tool_calls"][0]["arguments"] == {"command": "wait"}
    assert first["observation"]["results"][0]["content"] == HOSTILE
    assert first["extra"]["probabilities"] == pytest.approx(dict(zip(COMMANDS, (0.1, 0.2, 0.7), strict=True)))
    assert "observation" not in last
    assert found["extra"]["success"] is True
    assert found["extra"]["ended"] == "won"
    assert trajectories["easy/game1_2fstudent_2f1.json"]["extra"]["ended"] == "fault"
    assert "secret.example" not in json.dumps(found)


def test_other_families_only(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "atif", str(results), "-o", str(tmp_path / "out"), "--family", "esy"]) == 1
    assert "did you mean 'easy'?" in capsys.readouterr().err
