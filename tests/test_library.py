"""The library as its page describes it: the script is taken from the page and run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import teachable
from teachable.errors import ConfigError
from teachable.student.builder import StudentSettings, new_model, save_student, train_tokenizer
from teachable.student.layouts.compact import CompactLayout

PAGE = Path(__file__).parents[1] / "docs/library.md"
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_the_script_of_the_page_runs(tmp_path: Path) -> None:
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=330)
    tokenizer = train_tokenizer(["press blue press green press red", "note dial Open the safe Click goal act"], 330)
    save_student(
        tmp_path / "model",
        new_model(settings, len(tokenizer), seed=3),
        tokenizer,
        CompactLayout("recipe"),
        name="tiny",
        about={},
    )
    script = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    assert MODEL in script
    script = script.replace(MODEL, str(tmp_path / "model"))
    script += """
assert labels.table.height == snapshots.filter(kind="failure", source="student").height > 10
assert labels.table["quadrant"].drop_nulls().len() > 10
assert set(summary.metrics["model"]) == {"base", "B1_uniform", "C_replay"}
assert set(summary.metrics["panel"]) >= {"test", "failure"}
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "ELP_net" in ran.stdout


def test_labelling_takes_ten_lines_at_most() -> None:
    block = next(b for b in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if MODEL in b)
    assert len(block.strip().splitlines()) <= 10


def test_everything_promised_is_there_and_nothing_else_is_public() -> None:
    for name in teachable.__all__:
        assert getattr(teachable, name) is not None
    assert set(dir(teachable)) == set(teachable.__all__)
    with pytest.raises(AttributeError, match="Studdy"):
        teachable.Studdy  # noqa: B018


def test_a_wrong_key_is_named() -> None:
    with pytest.raises(ConfigError, match="epochs"):
        teachable.configure("smoke", training={"epoch": 3})
    assert teachable.configure("smoke", training={"epochs": 3}).training.epochs == 3


def test_no_text_has_no_tokens() -> None:
    from teachable.pipeline.prompting import Prompter

    tokenizer = train_tokenizer(["press blue", "press green"], 300)
    prompter = Prompter(CompactLayout("notes"), tokenizer)
    assert prompter.count_tokens([]) == []  # a method that chose nothing
    assert len(prompter.count_tokens(["press blue"])) == 1
