"""Does the student room run here, and how fast? Needs torch, transformers, peft and `src` on the PYTHONPATH only.

    PYTHONPATH=src python benchmarks/gpu_check.py --out gpu.json

On a GPU: a model of Qwen3-8B's shape with random weights in bfloat16 scores decisions (token tree) and takes LoRA steps
with an effective batch of 8. On a CPU: the same code at toy size. Random weights do not change speed or memory. The
tokenizer is made here as well, so no network is needed; prompt lengths are set by repetition.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from teachable.student.builder import train_tokenizer
from teachable.student.completions import Example
from teachable.student.devices import choose_device
from teachable.student.layouts.chat import ChatLayout
from teachable.student.lora import LoraSettings, train_lora
from teachable.student.model import Student
from teachable.student.prompt import Context, Transition
from teachable.student.scoring import Request, score_naive
from teachable.student.trees import build_tree

QWEN3_8B = {
    "vocab_size": 151_936, "hidden_size": 4096, "intermediate_size": 12_288, "num_hidden_layers": 36,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
}  # fmt: skip
TOY = {
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip
TEMPLATE = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor -%}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}"
)
THINGS = ("red apple", "yellow potato", "block of cheese", "carrot", "white onion", "banana")


@dataclass(frozen=True)
class Sizes:
    """How much work is done."""

    decisions: int
    turns: int  # of history in a prompt, which sets its length
    steps: int  # LoRA optimiser steps
    repeats: int


def make_student(shape: dict[str, int], device: torch.device, seed: int = 0) -> Student:
    """A student of this shape with random weights, made on the device itself."""
    tokenizer = train_tokenizer([f"take {thing} from counter" for thing in THINGS], 400)
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(seed)
    config = Qwen3Config(**shape, max_position_embeddings=8192, attn_implementation="sdpa")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)
        with device:
            model = Qwen3ForCausalLM(config)
    finally:
        torch.set_default_dtype(default)
    return Student(model, tokenizer, ChatLayout(tokenizer), name="random", fingerprint="random", memory=0)


def situations(count: int, turns: int) -> list[Context]:
    """Distinct decisions with 8 to 18 commands."""
    found = []
    for index in range(count):
        things = [*THINGS[index % 6 :], *THINGS[: index % 6]]
        commands = [f"take {thing} from counter" for thing in things] + [
            f"cook {things[0]} with stove",
            "go north",
        ]
        commands += [f"slice {thing} with knife" for thing in things[: index % 6]]
        commands += [f"take {thing}" for thing in things[: (index // 6) % 6]]
        found.append(
            Context(
                goal="You are hungry. Let's cook a meal.",
                memo=f"ingredients: {things[0]}; directions: fry the {things[0]}, prepare meal",
                scene=f"kitchen | counter: {', '.join(things)} | exits: north | you have: nothing ({index})",
                observation=f"You see a counter with {' and '.join(things)}.",
                history=tuple(
                    Transition(f"go {'north' if i % 2 else 'south'}", "You walk on. " * 6) for i in range(turns)
                ),
                commands=tuple(sorted(set(commands))),
            )
        )
    return found


def peak(device: torch.device) -> float | None:
    """Peak GPU memory since the last call, GiB."""
    if device.type != "cuda":
        return None
    value = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return round(value, 2)


def clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def score(student: Student, contexts: list[Context], repeats: int) -> dict[str, Any]:
    """Decisions a second by the token tree, and how far it is from full sequences on a few."""
    prompts = [student.prompt(context) for context in contexts]
    commands = [context.commands for context in contexts]
    ids = student.encode_prompts(prompts)
    student.policy(prompts[:2], commands[:2])  # kernels load
    seconds = []
    for _ in range(repeats):
        start = clock(student.device)
        answers = student.policy(prompts, commands)
        seconds.append(clock(student.device) - start)
    few = range(min(4, len(prompts)))
    requests = []
    for index in few:
        command_ids = [student.encode_command(command) for command in commands[index]]
        requests.append(Request(ids[index], build_tree(command_ids), command_ids))
    with torch.inference_mode():
        naive = [
            request.tree.scores(values, mean=False)
            for request, values in zip(requests, score_naive(student.model, requests, student.pad), strict=True)
        ]
    gaps = [np.abs(answers[i] - (naive[i] - np.logaddexp.reduce(naive[i]))).max() for i in few]
    median = float(np.median(seconds))
    return {
        "decisions": len(prompts),
        "commands_mean": float(np.mean([len(listed) for listed in commands])),
        "prompt_tokens_mean": float(np.mean([len(row) for row in ids])),
        "decisions_per_second": len(prompts) / median,
        "prompt_tokens_per_second": sum(len(row) for row in ids) / median,
        "batch_tokens": student.batch_tokens,
        "largest_difference_to_full_sequences_nats": float(max(gaps)),
        "peak_gib": peak(student.device),
    }


def train(student: Student, contexts: list[Context], steps: int) -> dict[str, Any]:
    """LoRA steps with an effective batch of 8 examples, and whether the adapter is in force afterwards."""
    examples = [Example(student.prompt(context), context.commands[0]) for context in contexts]
    settings = LoraSettings(rank=16, alpha=32, learning_rate=1e-4, batch_size=8, micro_batch=8)
    train_lora(student, examples[:8], LoraSettings(**{**asdict(settings), "max_steps": 1}), seed=0, name="check")
    peak(student.device)
    record = train_lora(
        student, examples, LoraSettings(**{**asdict(settings), "max_steps": steps}), seed=0, name="check"
    )
    change = student.check_adapter("check")
    return {
        "steps": record.steps,
        "seconds_per_step": record.seconds / record.steps,
        "tokens_per_second": record.tokens / record.seconds,
        "tokens_per_example": record.tokens / record.steps / 8,
        "micro_batch": record.micro_batch,
        "loss_first": record.loss_first,
        "loss_last": record.loss_last,
        "probe_change": change,
        "peak_gib": peak(student.device),
    }


def run(device: torch.device, sizes: Sizes) -> dict[str, Any]:
    """The whole check; numbers as in the JSON file."""
    student = make_student(QWEN3_8B if device.type == "cuda" else TOY, device)
    contexts = situations(sizes.decisions, sizes.turns)
    memory = peak(device)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "torch": torch.__version__,
        "model": {**student.describe(), "gib_loaded": memory},
        "scoring": score(student, contexts, sizes.repeats),
        "training": train(student, contexts[: max(8, 8 * sizes.steps)], sizes.steps),
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--decisions", type=int, default=None, help="decisions to score (GPU: 512, CPU: 24)")
    parser.add_argument("--steps", type=int, default=None, help="LoRA steps (GPU: 20, CPU: 2)")
    parser.add_argument("--repeats", type=int, default=3, help="times the decisions are scored; the median counts")
    parser.add_argument("--out", type=Path, default=None, help="write the result to this JSON file too")
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    gpu = device.type == "cuda"
    result = run(
        device,
        Sizes(
            decisions=given.decisions or (512 if gpu else 24),
            turns=8 if gpu else 1,
            steps=given.steps or (20 if gpu else 2),
            repeats=given.repeats,
        ),
    )
    text = json.dumps(result, indent=2)
    print(text)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")
    return result


if __name__ == "__main__":
    main()
