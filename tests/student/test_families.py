"""Other families, as small random models: the way of scoring is exact for them, or another one is taken."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, Phi3Config

from teachable.student import Example, LoraSettings, Student, StudentError, train_lora
from teachable.student import probing as module
from teachable.student.completions import Encoded, passes
from teachable.student.probing import try_out
from teachable.student.scoring import SCORERS, length_switch

from .tiny import COMMANDS, context

SMALL: dict[str, Any] = {
    "vocab_size": 400, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096, "head_dim": 8, "pad_token_id": 0, "bos_token_id": 0,
    "eos_token_id": 0, "initializer_range": 0.2,
}  # fmt: skip


def longrope(switch: int) -> dict[str, Any]:
    rope = {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": switch,
        "long_factor": [8.0, 16.0, 32.0, 64.0], "short_factor": [1.0] * 4, "partial_rotary_factor": 1.0,
    }  # fmt: skip
    return {"rope_parameters": rope, "original_max_position_embeddings": switch}


def make(family: str, source: Path, out: Path, **changes: Any) -> Path:
    from transformers import AutoConfig

    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **{**SMALL, **changes})
    build: Any = AutoModelForCausalLM.from_config
    build(config).save_pretrained(str(out))
    for file in source.glob("tokenizer*"):
        shutil.copy(file, out)
    return out


def questions(student: Student) -> tuple[list[str], list[tuple[str, ...]]]:
    contexts = [context(index, patch="better go north " * (12 * (index % 3))) for index in range(9)]
    return [student.prompt(c) for c in contexts], [c.commands for c in contexts]


def widest(student: Student) -> float:
    """The largest difference of answers in one batch from those to single questions by plain forward passes."""
    prompts, commands = questions(student)
    together = student.policy(prompts, commands)
    used, student.method = student.method, "naive"
    found = 0.0
    for prompt, listed, answer in zip(prompts, commands, together, strict=True):
        student.forget(everything=True)
        found = max(found, float(np.abs(student.policy([prompt], [listed])[0] - answer).max()))
    student.method = used
    return found


FAMILIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "qwen3": ({}, "tree", "sdpa"),
    "gemma2": ({"sliding_window": 32}, "prefix_cache", ""),
    "gptj": ({"n_embd": 32, "n_head": 4, "n_layer": 2, "rotary_dim": 4, "n_positions": 4096}, "prefix_cache", ""),
    "gpt_neo": (
        {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 32},
        "prefix_cache",
        "",
    ),
    "bloom": ({"n_head": 4, "n_layer": 2}, "prefix_cache", ""),
    "gpt_oss": ({"num_local_experts": 2, "num_experts_per_tok": 1, "sliding_window": 32}, "prefix_cache", "eager"),
    "mamba": ({"state_size": 4, "expand": 2, "num_hidden_layers": 2}, "", ""),
    "llama4_text": (
        {
            "num_local_experts": 2,
            "intermediate_size_mlp": 48,
            "attention_chunk_size": 64,
            "interleave_moe_layer_step": 1,
        },
        "prefix_cache",
        "",
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_answers_as_plain_forward_passes_do_and_embeds(
    family: str, student_directory: Path, tmp_path: Path
) -> None:
    changes, method, attention = FAMILIES[family]
    student = Student.load(make(family, student_directory, tmp_path / family, **changes), device="cpu")
    trial = try_out(student)
    assert student.method == trial.method
    assert not method or trial.method in (method, "batched", "naive")
    assert not attention or student.attention == attention
    assert widest(student) < 1e-3
    prompts, _ = questions(student)
    together = student.embed(prompts)
    alone = np.concatenate([student.embed([prompt]) for prompt in prompts])
    assert np.abs(together - alone).max() < 1e-3


def test_prompts_on_both_sides_of_a_change_of_rope_do_not_share_a_pass(student_directory: Path, tmp_path: Path) -> None:
    plain = Student.load(make("phi3", student_directory, tmp_path / "plain"), device="cpu")
    prompts, _ = questions(plain)
    middle = int(np.median([len(ids) for ids in plain.encode_prompts(prompts)])) + 1
    place = make("phi3", student_directory, tmp_path / "phi3", **longrope(middle))
    student = Student.load(place, device="cpu", batch_tokens=100_000)
    assert student.length_switch == middle
    assert try_out(student).method == "tree"
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
    assert length_switch(Phi3Config(**SMALL)) is None
    assert length_switch(Phi3Config(**SMALL, **longrope(300))) == 300


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
