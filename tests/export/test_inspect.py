"""Logs that Inspect itself reads back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from teachable.cli import main

from .made import HOSTILE

REASON = "inspect-ai is not installed: pip install -e '.[inspect]'"


def test_a_log_a_family_with_an_episode_a_sample(results: Path, tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log", reason=REASON)
    assert main(["export", "inspect", str(results), "-o", str(tmp_path / "logs")]) == 0
    (path,) = (tmp_path / "logs").iterdir()
    assert path.name == "easy.eval"
    read = log.read_eval_log(str(path))
    assert read.status == "success"
    assert [(sample.id, sample.epoch) for sample in read.samples] == [
        ("game0", 1),
        ("game1", 1),
        ("game0", 2),
        ("game1", 2),
    ]
    sample = read.samples[0]
    assert [(one.role, one.content) for one in sample.messages] == [
        ("user", HOSTILE),
        ("assistant", "wait"),
        ("user", HOSTILE),
        ("assistant", "go north"),
    ]
    assert [one.id for one in sample.messages][:2] == ["game0/student/0/0/user", "game0/student/0/0/assistant"]
    assert sample.messages[1].metadata["probability"] == pytest.approx(0.7)
    assert sample.scores["success"].value == "C"
    assert read.samples[2].scores["success"].value == "I"
    assert read.samples[3].error.message == "the engine died"
    assert not read.samples[3].scores
    assert read.results.scores[0].metrics["accuracy"].value == pytest.approx((0.5 + 1) / 2)
    assert read.eval.config.epochs == 2


def test_without_the_package_there_is_a_remedy(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "inspect_ai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    assert main(["export", "inspect", str(results), "-o", str(tmp_path / "logs")]) == 1
    assert "pip install -e '.[inspect]'" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()
