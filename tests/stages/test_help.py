"""Every stage explains itself."""

from __future__ import annotations

import pytest

from teachable.cli import COMMANDS, main
from teachable.stages import STAGES


@pytest.mark.parametrize("name", STAGES)
def test_help_names_inputs_outputs_and_parameters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    stage = STAGES[name]
    for word in (stage.doc, *filter(None, stage.input_names), *stage.outputs, *stage.params.model_fields):
        assert word in shown


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
