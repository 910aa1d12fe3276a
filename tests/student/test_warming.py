"""A warm start: what is written is the merged model that was validated, and one outside of the band is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel

from teachable.student import Demonstration, Example, LoraSettings, Student, StudentError, train_lora
from teachable.student.adapter_files import read_adapter
from teachable.student.warming import WarmStartRecord, warm_start

from .tiny import CHAT_TEMPLATE, COMMANDS, chat_student, context

DATA = [Demonstration(context(i, patch="take it" if i % 3 == 0 else ""), COMMANDS[i % 2]) for i in range(12)]
SETTINGS = LoraSettings(rank=4, alpha=8, learning_rate=1e-2, max_steps=20, batch_size=4, micro_batch=2)


@pytest.fixture
def pretrained(student_directory: Path, tmp_path: Path) -> Path:
    out = chat_student(student_directory, tmp_path / "model", CHAT_TEMPLATE, special=("<|im_start|>", "<|im_end|>"))
    about = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**about, "max_position_embeddings": 8192}))
    return out


def warmed(
    model: Path,
    out: Path,
    successes: Sequence[float] = (0.0, 0.5),
    band: tuple[float, float] = (0.4, 0.6),
    seen: Callable[[Student, str | None], object] = lambda student, adapter: None,
    checkpoints: int = 1,
) -> WarmStartRecord:
    left = list(successes)

    def validate(student: Student, adapter: str | None) -> float:
        seen(student, adapter)
        return left.pop(0)

    return warm_start(
        Student.load(model, device="cpu"), DATA, SETTINGS, validate=validate, band=band, checkpoints=checkpoints,
        seed=1, out=out,
    )  # fmt: skip


def answers(student: Student, adapter: str | None = None) -> np.ndarray:
    where = context(3)
    return student.policy([student.prompt(where)], [where.commands], adapters=[adapter])[0]


def test_what_is_written_is_what_was_validated_and_it_has_learned(pretrained: Path, tmp_path: Path) -> None:
    validated: list[np.ndarray] = []
    record = warmed(pretrained, tmp_path / "warm", seen=lambda *who: validated.append(answers(*who)))
    student = Student.load(tmp_path / "warm", device="cpu")
    assert student.fingerprint == record.fingerprint != record.base
    assert np.abs(answers(student) - validated[1]).max() < 1e-6
    assert np.abs(validated[1] - validated[0]).max() > 0.1
    assert record.loss_last < record.loss_first
    assert student.adapters == []


def test_the_merge_is_the_adapter_that_was_trained(pretrained: Path, tmp_path: Path) -> None:
    """Trained once more and kept apart: PEFT's own merge of it gives the same answers."""
    record = warmed(pretrained, tmp_path / "warm")
    base = Student.load(pretrained, device="cpu")
    examples = [Example(base.prompt(one.context), one.action) for one in DATA]
    trained = train_lora(base, examples, SETTINGS, seed=1, out=tmp_path / "adapter")
    assert trained.sha256 == record.adapter
    config, _, _ = read_adapter(tmp_path / "adapter")
    assert config.base_model_name_or_path == str(pretrained)
    plain = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter", dtype=torch.float32)
    assert isinstance(plain, PeftModel)
    ids = torch.tensor([base.encode_prompts([base.prompt(context(3))])[0]])
    warm = Student.load(tmp_path / "warm", device="cpu")
    with torch.no_grad():
        difference = plain(input_ids=ids).logits - warm.model(input_ids=ids).logits
    assert difference.abs().max() < 1e-4


def test_the_record_says_what_was_trained_and_what_it_won(pretrained: Path, tmp_path: Path) -> None:
    record = warmed(pretrained, tmp_path / "warm", (0.125, 0.5))
    about = json.loads((tmp_path / "warm" / "student.json").read_text())
    assert (about["name"], about["layout"], about["layout_version"]) == ("model", "chat", 2)
    said = about["warm_start"]
    assert (said["success_before"], said["success"]) == (record.success_before, record.success) == (0.125, 0.5)
    assert (said["examples"], said["patched"], said["steps"]) == (12, 4, 20)
    assert said["settings"]["learning_rate"] == 1e-2
    assert said["base"] == Student.load(pretrained, device="cpu").fingerprint
    assert str(tmp_path) not in (tmp_path / "warm" / "config.json").read_text()


def test_the_same_student_every_time(pretrained: Path, tmp_path: Path) -> None:
    first, second = (warmed(pretrained, tmp_path / name) for name in ("one", "two"))
    assert first == second
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


@pytest.mark.parametrize(("success", "remedy"), [(0.3, "take more student.warm_start.max_steps"), (0.9, ".*fewer")])
def test_outside_of_the_band_nothing_is_written(pretrained: Path, tmp_path: Path, success: float, remedy: str) -> None:
    with pytest.raises(StudentError, match=rf"model after a warm start of 20 steps wins {success:.2f} .*: {remedy}"):
        warmed(pretrained, tmp_path / "warm", (0.0, success))
    assert not (tmp_path / "warm").exists()


def test_the_first_checkpoint_in_the_band_is_the_student(pretrained: Path, tmp_path: Path) -> None:
    tried: list[np.ndarray] = []
    record = warmed(
        pretrained,
        tmp_path / "warm",
        (0.0, 0.1, 0.5, 0.5),
        checkpoints=5,
        seen=lambda *who: tried.append(answers(*who)),
    )
    assert (record.steps, record.of_steps, record.course) == (8, 20, ((4, 0.1), (8, 0.5)))
    assert (record.success_before, record.success) == (0.0, 0.5)
    student = Student.load(tmp_path / "warm", device="cpu")
    assert np.abs(answers(student) - tried[2]).max() < 1e-5  # the checkpoint's, merged
    assert np.abs(tried[2] - tried[1]).max() > 1e-2
    whole = warmed(pretrained, tmp_path / "whole")
    assert whole.adapter != record.adapter
    assert whole.loss_last == record.loss_last  # the same training


def test_the_end_of_the_training_counts_where_no_earlier_point_is_in_the_band(pretrained: Path, tmp_path: Path) -> None:
    record = warmed(pretrained, tmp_path / "warm", (0.0, 0.1, 0.2, 0.5), checkpoints=3)
    assert (record.steps, record.course) == (20, ((7, 0.1), (13, 0.2)))
    assert record.adapter == warmed(pretrained, tmp_path / "whole").adapter


def test_no_point_in_the_band(pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(StudentError, match=r"20 steps \(0.00 after 7, 0.90 after 13\) wins 0.95 .*start.checkpoints"):
        warmed(pretrained, tmp_path / "warm", (0.0, 0.0, 0.9, 0.95), checkpoints=3)
    assert not (tmp_path / "warm").exists()


def test_nothing_to_learn_from(pretrained: Path, tmp_path: Path) -> None:
    student = Student.load(pretrained, device="cpu")
    with pytest.raises(StudentError, match="no demonstrations"):
        warm_start(
            student, [], replace(SETTINGS), validate=lambda *_: 0.5, band=(0.0, 1.0), seed=1, out=tmp_path / "warm"
        )
