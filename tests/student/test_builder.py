"""The built-in student's builder: trains to the end, and says why a student outside of the band is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from teachable.student import Demonstration, Student, StudentError, StudentSettings, build_student
from teachable.student.builder import frequent_phrases, train_tokenizer
from teachable.student.muon import Muon, orthogonalise

from .tiny import COMMANDS, context

DATA = [Demonstration(context(i), COMMANDS[i % 2]) for i in range(12)]


@pytest.fixture
def settings(tiny_settings: StudentSettings) -> StudentSettings:
    return replace(
        tiny_settings, max_steps=20, warmup_steps=5, batch_size=4, band_low=0.4, band_high=0.6,
    )  # fmt: skip


def scripted(values: list[float]) -> Callable[[Student], float]:
    left = list(values)
    return lambda student: left.pop(0)


def test_it_learns_to_the_last_step_and_is_validated_once(settings: StudentSettings, tmp_path: Path) -> None:
    out, seen = tmp_path / "student", []
    record = build_student(
        DATA,
        settings,
        validate=scripted([0.5]),
        seed=1,
        out=out,
        memo_label="recipe",
        gaps={"oven": {"known": 0.1, "otherwise": "habit"}},
        progress=lambda done, total: seen.append((done, total)),
    )
    assert record.steps == len(record.losses) == 20
    assert seen == [(step, 20) for step in range(1, 21)]
    assert record.success == 0.5
    assert record.losses[-1] < record.losses[0]
    student = Student.load(out, device="cpu")
    assert student.fingerprint == record.fingerprint
    assert student.layout == "compact"
    about = json.loads((out / "student.json").read_text())
    assert about["validation_success"] == 0.5
    assert about["gaps"] == {"oven": {"known": 0.1, "otherwise": "habit"}}


def test_what_is_written_is_what_was_validated(settings: StudentSettings, tmp_path: Path) -> None:
    answers = []

    def validate(student: Student) -> float:
        answers.append(student.policy(["act:"], [COMMANDS])[0])
        return 0.5

    build_student(DATA, settings, validate=validate, seed=1, memo_label="recipe", out=tmp_path / "s")
    loaded = Student.load(tmp_path / "s", device="cpu").policy(["act:"], [COMMANDS])[0]
    assert np.abs(answers[-1] - loaded).max() < 1e-6


@pytest.mark.parametrize(("success", "remedy"), [(0.39, "more builtin.max_steps"), (0.61, "widen builtin.gaps")])
def test_a_student_outside_of_the_band_is_an_error(
    settings: StudentSettings, tmp_path: Path, success: float, remedy: str
) -> None:
    with pytest.raises(StudentError, match=rf"after 20 steps wins {success} .*0\.40 to 0\.60.*{remedy}"):
        build_student(DATA, settings, validate=scripted([success]), seed=1, memo_label="recipe", out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("success", [0.4, 0.6])
def test_the_band_holds_its_ends(settings: StudentSettings, tmp_path: Path, success: float) -> None:
    assert (
        build_student(
            DATA, settings, validate=scripted([success]), seed=1, memo_label="recipe", out=tmp_path / "s"
        ).success
        == success
    )


def test_the_seed_decides_and_global_state_is_kept(settings: StudentSettings, tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(len(digests))
        before = torch.random.get_rng_state()
        digests.append(
            build_student(
                DATA, settings, validate=scripted([0.5]), seed=seed, memo_label="recipe", out=tmp_path / name
            ).fingerprint
        )
        assert torch.equal(before, torch.random.get_rng_state())
    assert digests[0] == digests[1] != digests[2]


def test_settings_are_checked() -> None:
    with pytest.raises(StudentError, match="multiple"):
        StudentSettings(hidden=30, heads=4)
    with pytest.raises(StudentError, match="band_low"):
        StudentSettings(band_low=0.9)
    with pytest.raises(StudentError, match="no demonstrations"):
        build_student([], StudentSettings(), validate=scripted([]), seed=0, memo_label="recipe", out=Path("never"))


def test_names_of_several_words_are_one_token_and_any_text_survives() -> None:
    scenes = ["kitchen | counter: red apple, yellow bell pepper (raw) | you have: knife"] * 20
    phrases = frequent_phrases(scenes)
    assert phrases == ["red apple", "yellow bell pepper", "you have"]
    tokenizer = train_tokenizer([*scenes, " take red apple from counter\n"] * 20, 500, phrases)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(" take yellow bell pepper\n").input_ids)
    assert [token.replace("Ġ", " ") for token in tokens] == [" take", " yellow bell pepper", "Ċ"]
    strange = "a  b\n\n yellow bell peppers: (x)\tünï"
    assert tokenizer.decode(tokenizer(strange).input_ids) == strange


def test_muon_moves_every_direction_alike() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(3, 16, 48)))
    assert values.min() > 0.6
    assert values.max() < 1.3
    tall, wide = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((48, 16), (16, 48)))
    optimiser = Muon([tall, wide], lr=0.1)
    gradient = torch.randn(48, 16)
    tall.grad, wide.grad = gradient, gradient.T.clone()
    optimiser.step()
    assert torch.allclose(tall / 3**0.5, wide.T, atol=1e-5)  # tall matrices move by sqrt(rows / columns) more
    assert (tall * gradient).sum() < 0
