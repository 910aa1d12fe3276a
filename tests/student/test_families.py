"""Other families, as small random models: the way of scoring is exact for them, or another one is taken."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import Phi3Config

from teachable.student import Example, LoraSettings, Student, StudentError, train_lora
from teachable.student import probing as module
from teachable.student.completions import Encoded, passes
from teachable.student.probing import try_out
from teachable.student.scoring import SCORERS, length_switch

from .tiny import COMMANDS, context

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import families


def questions(student: Student) -> tuple[list[str], list[tuple[str, ...]]]:
    contexts = [context(index, patch="better go north " * (12 * (index % 3))) for index in range(9)]
    return [student.prompt(c) for c in contexts], [c.commands for c in contexts]


def make(family: str, source: Path, out: Path, **changes: Any) -> Path:
    return families.make(families.Family(family, changes), source, out)


def widest(student: Student) -> float:
    return families.widest(
        student, [context(index, patch="better go north " * (12 * (index % 3))) for index in range(9)]
    )


@pytest.mark.parametrize("name", families.FAMILIES)
def test_a_family_answers_as_plain_forward_passes_do_and_is_served_as_the_page_says(
    name: str, student_directory: Path, tmp_path: Path
) -> None:
    found, student = families.examine(name, student_directory, tmp_path / "model")
    said = families.documented()[name]
    assert found.method == said[0], f"docs/engine.md: `python benchmarks/families.py --write` writes it: {found.row()}"
    if student is None:
        assert not said[1]
        return
    assert found.difference < 1e-4
    assert float(said[1].removeprefix("<")) <= 1e-4, "the page tells of a difference that is no rounding"
    assert student.method == found.method
    assert widest(student) < 1e-4
    prompts, _ = questions(student)
    together = student.embed(prompts)
    alone = np.concatenate([student.embed([prompt]) for prompt in prompts])
    assert np.abs(together - alone).max() < 1e-3


def test_the_page_has_every_family_and_no_other() -> None:
    assert list(families.documented()) == list(families.FAMILIES)


def test_longrope_is_tried_on_both_sides_of_its_switch(student_directory: Path, tmp_path: Path) -> None:
    found, student = families.examine("Phi-3, LongRoPE", student_directory, tmp_path / "model")
    assert found.method == "radix"
    assert student is not None
    assert student.length_switch is not None
    lengths = [len(ids) for ids in student.encode_prompts([student.prompt(one) for one in families.decisions()])]
    assert min(lengths) < student.length_switch < max(lengths)


def test_prompts_on_both_sides_of_a_change_of_rope_do_not_share_a_pass(student_directory: Path, tmp_path: Path) -> None:
    plain = Student.load(make("phi3", student_directory, tmp_path / "plain"), device="cpu")
    prompts, _ = questions(plain)
    middle = int(np.median([len(ids) for ids in plain.encode_prompts(prompts)])) + 1
    place = make("phi3", student_directory, tmp_path / "phi3", **families.longrope(middle))
    student = Student.load(place, device="cpu", batch_tokens=100_000)
    assert student.length_switch == middle
    assert try_out(student).method == "radix"
    assert widest(student) < 1e-3
    student.forget(everything=True)
    student.length_switch = None
    assert widest(student) > 1e-2, "in one pass the short ones are read as if they were long"
    student.length_switch = middle
    together = student.embed(prompts)
    assert np.abs(together - np.concatenate([student.embed([prompt]) for prompt in prompts])).max() < 1e-4


def test_training_passes_do_not_mix_both_sides_either() -> None:
    rows = [Encoded([0] * length, 1) for length in (5, 9, 10, 11, 12, 30)]
    found = [[len(row.ids) for row in part] for part in passes(rows, 4, 9, padding=0.5)]
    assert found == [[5, 9, 10], [11, 12, 30]]
    assert [len(part) for part in passes(rows, 4, None, padding=0.5)] == [4, 2]


def test_the_kind_of_rope_is_looked_at() -> None:
    assert length_switch(Phi3Config(**families.SMALL)) is None
    assert length_switch(Phi3Config(**families.SMALL, **families.longrope(300))) == 300


def test_what_is_not_exact_is_not_used_and_said(
    student_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    student = Student.load(student_directory, device="cpu")
    original = SCORERS["tree"]
    monkeypatch.setitem(  # right alone, wrong in a batch
        SCORERS,
        "tree",
        lambda model, requests, pad: [row + 0.1 * (len(requests) - 1) for row in original(model, requests, pad)],
    )

    def without_cache(*_: object) -> None:
        raise AttributeError("past_key_values")

    monkeypatch.setitem(SCORERS, "prefix_cache", without_cache)
    with caplog.at_level(logging.WARNING):
        trial = try_out(student)
    assert (trial.method, student.method) == ("batched", "batched")
    assert set(trial.refused) == {"tree", "prefix_cache"}
    assert "is scored by batched: tree differs by" in caplog.text
    assert "prefix_cache fails (AttributeError)" in caplog.text


def test_a_model_that_sees_what_comes_is_no_student(student_directory: Path, tmp_path: Path) -> None:
    place = make("bert", student_directory, tmp_path / "bert")
    with pytest.raises(StudentError, match=r"sees the tokens behind|lacks"):
        try_out(Student.load(place, device="cpu"))


def test_a_model_that_cannot_be_given_an_adapter_is_noticed(
    student_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "lora_config", lambda *_: (_ for _ in ()).throw(ValueError("no linear layers")))
    with pytest.raises(StudentError, match=r"cannot be given an adapter: ValueError: no linear layers"):
        try_out(Student.load(student_directory, device="cpu"))


def test_trying_leaves_the_student_as_it_was(student_directory: Path) -> None:
    student = Student.load(student_directory, device="cpu")
    before = student.policy(["act:"], [COMMANDS])[0]
    trial = try_out(student)
    assert trial.method == "tree"
    assert not trial.refused
    assert trial.largest_difference < 1e-4
    assert np.array_equal(student.policy(["act:"], [COMMANDS])[0], before)
    assert student.adapters == []


def test_a_family_that_runs_eagerly_can_be_tuned(student_directory: Path, tmp_path: Path) -> None:
    place = make("gpt_oss", student_directory, tmp_path / "oss", num_local_experts=2, num_experts_per_tok=1)
    student = Student.load(place, device="cpu")
    assert student.attention == "eager"
    settings = LoraSettings(rank=2, alpha=4, learning_rate=1e-2, max_steps=2, batch_size=2)
    record = train_lora(student, [Example("act:", "go north")], settings, seed=1, name="one")
    assert record.losses[-1] < record.losses[0]
