"""Which way of scoring serves which model family, found with a small random model of each: the table of docs/engine.md.

    python benchmarks/families.py [--write]

A model of two to four layers is made and saved, loaded as any student, tried out as `link-student` tries it
(`teachable.student.probing`), and asked nine decisions of different lengths in one batch and one by one. The largest
difference is from plain forward passes over full sequences, in nats of a command's log-probability. A family that
cannot be served exactly is refused in a sentence. `tests/student/test_families.py` finds the same again, family by
family, and fails where the page says otherwise.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine_page import PAGE, replaced
from gpu_check import situations

from teachable.student import Student, StudentError
from teachable.student.builder import train_tokenizer
from teachable.student.loading import hush
from teachable.student.probing import try_out
from teachable.student.prompt import Context

SMALL: dict[str, Any] = {
    "vocab_size": 400, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096, "head_dim": 8, "pad_token_id": 0, "bos_token_id": 0,
    "eos_token_id": 0, "initializer_range": 0.2,
}  # fmt: skip
WINDOW = {"sliding_window": 32}  # shorter than every prompt that is asked
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
HYBRID = {
    "num_hidden_layers": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}  # fmt: skip


def longrope(switch: int) -> dict[str, Any]:
    """LongRoPE that takes its other frequencies beyond ``switch`` tokens."""
    rope = {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": switch,
        "long_factor": [8.0, 16.0, 32.0, 64.0], "short_factor": [1.0] * 4, "partial_rotary_factor": 1.0,
    }  # fmt: skip
    return {"rope_parameters": rope, "original_max_position_embeddings": switch}


@dataclass(frozen=True)
class Family:
    """A model type of transformers, and what its small model has beside SMALL, or has not."""

    type: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        return {key: value for key, value in {**SMALL, **self.changes}.items() if key not in self.without}


FAMILIES: dict[str, Family] = {
    "Llama": Family("llama"),
    "Mistral": Family("mistral", {"sliding_window": None}),
    "Mistral, sliding window": Family("mistral", WINDOW),
    "Qwen2": Family("qwen2"),
    "Qwen3": Family("qwen3"),
    "Qwen3-MoE": Family("qwen3_moe", EXPERTS),
    "Qwen3-Next": Family("qwen3_next", {**HYBRID, **EXPERTS, "shared_expert_intermediate_size": 32}),
    "Qwen3.5": Family("qwen3_5_text", HYBRID),
    "Gemma 2": Family("gemma2", WINDOW),
    "Gemma 3": Family("gemma3_text", {**WINDOW, "num_hidden_layers": 6}),
    "Phi-3": Family("phi3"),
    "Phi-3, LongRoPE": Family("phi3", longrope(600)),
    "GPT-2": Family("gpt2"),
    "GPT-Neo": Family(
        "gpt_neo",
        {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 32},
    ),
    "GPT-J": Family("gptj", {"n_embd": 32, "n_head": 4, "n_layer": 2, "rotary_dim": 4, "n_positions": 4096}),
    "GPT-NeoX": Family("gpt_neox"),
    "OLMo 2": Family("olmo2"),
    "gpt-oss": Family("gpt_oss", {"num_local_experts": 2, "num_experts_per_tok": 1, **WINDOW}),
    "Llama 4, chunked attention": Family(
        "llama4_text",
        {
            "num_local_experts": 2, "intermediate_size_mlp": 48, "attention_chunk_size": 64,
            "interleave_moe_layer_step": 1,
        },
    ),
    "Falcon, rotary": Family("falcon", {"alibi": False}, ("head_dim",)),
    "Falcon, ALiBi": Family("falcon", {"alibi": True}, ("head_dim",)),
    "Bloom": Family("bloom", {"n_head": 4, "n_layer": 2}),
    "Mamba": Family("mamba", {"state_size": 4, "expand": 2}),
    "Mamba 2": Family("mamba2", {"state_size": 4, "expand": 2, "num_heads": 8, "n_groups": 2, "chunk_size": 16}),
    "BERT": Family("bert"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What trying one family out found."""

    name: str
    type: str
    method: str  # "refused" where none is exact
    difference: float  # nats, at most this; 0 where it is refused
    attention: str
    said: str  # the refusal, or which ways of scoring were refused

    def row(self) -> str:
        """Its row of the page's table."""
        if self.method == "refused":
            return f"| {self.name} | `{self.type}` | refused | | {self.said} |"
        return f"| {self.name} | `{self.type}` | {self.method} | {bound(self.difference)} | {self.said} |"


def bound(difference: float) -> str:
    """The power of ten that a difference stays below: its digits are another machine's business."""
    return f"< {10.0 ** int(np.ceil(np.log10(max(difference, 1e-7)))):.0e}"


def make(family: Family, source: Path, out: Path) -> Path:
    """A small random model of the family in ``out``, with the tokenizer of the student in ``source``."""
    from transformers import AutoConfig, AutoModelForCausalLM

    hush()
    torch.manual_seed(0)
    config = AutoConfig.for_model(family.type, **family.settings())
    build: Any = AutoModelForCausalLM.from_config
    build(config).save_pretrained(str(out))
    for file in source.glob("tokenizer*"):
        shutil.copy(file, out)
    return out


def widest(student: Student, contexts: list[Context]) -> float:
    """The largest difference of answers in one batch from those to single questions by plain forward passes, nats."""
    prompts = [student.prompt(context) for context in contexts]
    student.forget(everything=True)
    together = student.policy(prompts, [context.commands for context in contexts])
    used, student.method = student.method, "naive"
    found = 0.0
    for prompt, context, answer in zip(prompts, contexts, together, strict=True):
        student.forget(everything=True)
        found = max(found, float(np.abs(student.policy([prompt], [context.commands])[0] - answer).max()))
    student.method = used
    return found


def decisions() -> list[Context]:
    """Nine decisions of three lengths, with two to six commands."""
    return [
        replace(one, commands=one.commands[: 2 + index % 5], patch="better go north " * (12 * (index % 3)))
        for index, one in enumerate(situations(9, 1))
    ]


def examine(name: str, source: Path, out: Path) -> tuple[Found, Student | None]:
    """What becomes of a family; and its student, tried out, where it is not refused."""
    family = FAMILIES[name]
    try:
        student = Student.load(make(family, source, out), device="cpu")
        trial = try_out(student)
    except StudentError as problem:
        said = str(problem).replace(str(out), "it").replace(out.name, "it")
        return Found(name, family.type, "refused", 0.0, "", said), None
    difference = max(trial.largest_difference, widest(student, decisions()))
    refused = "; ".join(f"{method} {said}" for method, said in trial.refused.items())
    return Found(name, family.type, trial.method, difference, student.attention, refused), student


def table(found: list[Found]) -> str:
    """The table of the page."""
    head = [
        "| family | model type | way of scoring | largest difference, nats | what was refused |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(one.row() for one in found)])


def documented(page: Path = PAGE) -> dict[str, tuple[str, str]]:
    """The page's word on each family: way of scoring and difference."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.read_text(encoding="utf-8").splitlines()]
    return {row[0]: (row[2], row[3]) for row in cells if len(row) == 5 and row[0] in FAMILIES}


def survey(source: Path, tell: Callable[[str], object] = print) -> list[Found]:
    """Every family, one after the other."""
    rows = []
    for name in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(examine(name, source, Path(folder) / "student")[0])
        tell(f"{rows[-1].row()} {rows[-1].difference:.1e}")
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/engine.md")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer([one.scene for one in decisions()], 330).save_pretrained(folder)
        rows = survey(Path(folder))
    if given.write:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), "families", table(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
