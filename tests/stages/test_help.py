"""Every stage explains itself."""

from __future__ import annotations

import re
import shlex
from itertools import chain

import pytest

from teachable.artifacts.commandline import check, parse_shell, validated
from teachable.cli import COMMANDS, main
from teachable.cli_help import example
from teachable.stages import STAGES
from teachable.workflow.configuration import shipped


@pytest.mark.parametrize("name", STAGES)
def test_help_names_inputs_outputs_and_parameters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    stage = STAGES[name]
    for word in (stage.doc, *filter(None, stage.input_names), *stage.outputs, *stage.params.model_fields):
        assert word in shown
    (line,) = re.findall(r"^for example:\n((?:  .*\n)+)", shown, re.MULTILINE)
    assert shlex.split(line.replace("\\\n", "")) == shlex.split(example(stage, shipped()))


@pytest.mark.parametrize("name", STAGES)
def test_the_example_is_a_line_that_the_stage_takes(name: str) -> None:
    """By the parser that the program, the store and the executor share, and with whole parameters."""
    (call,) = parse_shell(example(STAGES[name], shipped()), STAGES)
    check(call, STAGES[name])
    validated(call, STAGES[name])
    assert not any("{" in str(path) for path in (*call.outputs.values(), *chain(*call.inputs.values())))


def test_help_has_types_and_values_of_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--help"])
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    training = shipped().training
    assert ["training.learning_rate", "number", str(training.learning_rate)] in shown
    assert ["training.epochs", "integer", str(training.epochs)] in shown
    assert ["run", "text", "given", "by", "the", "rule"] in shown
    main(["advise", "--help"])
    operational = capsys.readouterr().out.partition("of these operational")[2]
    assert ["teacher.budget_usd", "number", str(shipped().teacher.budget_usd)] in [
        line.split() for line in operational.splitlines()
    ]


@pytest.mark.parametrize(
    ("typed", "meant"), [("labl", "did you mean 'label'?"), ("stroe", "did you mean 'store'?"), ("xyz", "--help")]
)
def test_a_mistyped_command_names_the_nearest(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([typed]) == 1
    assert repr(typed) in (said := capsys.readouterr().err)
    assert meant in said


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert f"teachable {name}" in capsys.readouterr().out
