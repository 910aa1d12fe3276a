"""What is seen of a training while it goes, and that it is the training all the same."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from teachable.student import Student, StudentError, train_lora
from teachable.student.lora import schedule
from teachable.student.monitoring import tensorboard

from .test_lora import SETTINGS, examples


def test_every_step_is_told_and_nothing_changes(student: Student, tmp_path: Path) -> None:
    told: list[tuple[int, Mapping[str, float]]] = []
    data = examples(student)
    seen = train_lora(
        student, data, SETTINGS, seed=1, out=tmp_path / "a", watch=lambda step, measured: told.append((step, measured))
    )
    alone = train_lora(student, data, SETTINGS, seed=1, out=tmp_path / "b")
    assert (seen.sha256, seen.losses) == (alone.sha256, alone.losses)
    assert [step for step, _ in told] == list(range(1, seen.steps + 1))
    assert [measured["loss"] for _, measured in told] == list(seen.losses)
    rates = [SETTINGS.learning_rate * schedule(SETTINGS, step, seen.steps) for step in range(seen.steps)]
    assert [measured["learning_rate"] for _, measured in told] == pytest.approx(rates)
    assert len(set(rates)) > 1
    spent = sum(1 / measured["tokens_per_second"] for _, measured in told)
    assert 0 < spent * seen.tokens / len(told) <= 2 * seen.seconds


def test_event_files_are_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for first in (5.0, 1.0):  # the second training takes the place of the first
        with tensorboard(tmp_path / "Q1_demo/1") as watch:
            watch(1, {"loss": first, "learning_rate": 0.5})
            watch(2, {"loss": first / 2, "learning_rate": 0.25})
    read = EventAccumulator(str(tmp_path / "Q1_demo/1"))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("training/loss")] == [(1, 1.0), (2, 0.5)]
    assert [one.value for one in read.Scalars("training/learning_rate")] == [0.5, 0.25]


def test_without_the_package_there_is_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("tensorboard", "torch.utils.tensorboard"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(StudentError, match="pip install tensorboard"), tensorboard(tmp_path / "runs"):
        pass
    assert not (tmp_path / "runs").exists()
