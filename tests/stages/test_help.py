"""Every stage explains itself."""

from __future__ import annotations

import pytest

from teachable.cli import main
from teachable.stages import STAGES


@pytest.mark.parametrize("name", STAGES)
def test_help_names_inputs_outputs_and_parameters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    stage = STAGES[name]
    for word in (stage.doc, *filter(None, stage.input_names), *stage.outputs, *stage.params.model_fields):
        assert word in shown
