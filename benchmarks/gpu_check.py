"""Does the student room run here, and how fast? Needs torch, transformers, peft and `src` on the PYTHONPATH only.

    PYTHONPATH=src python benchmarks/gpu_check.py --out gpu.json

On a GPU: a model of Qwen3-8B's shape with random weights in bfloat16, in less than eight minutes. On a CPU: the same
code at toy size. Random weights do not change speed or memory. The tokenizer is made here as well, so no network is
needed; prompt lengths are set by repetition. Measured are

    matrix      the rate of one large matrix product: what the card gives at best
    prefill     plain forward passes over long prompts, as a share of that rate
    scoring     different decisions, by the student's way of scoring and by one forward pass a command
    labelling   episodes from snapshots, wave by wave, as Monte Carlo labels ask: requests a second against one forward
                pass a command, and tokens encoded against full sequences and the fewest possible
    training    LoRA steps with an effective batch of 8: tokens a second, and their share of the matrix rate
    micro       adapters of one example and two steps, each asked for a decision afterwards

each with its peak memory. FLOP are 2 a weight and token in a forward pass (the output layer counts for the columns
whose logits are made), 4 in a LoRA step; attention is left out.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from counting import counted, fewest
from transformers import Qwen3Config, Qwen3ForCausalLM

from teachable.student.builder import train_tokenizer
from teachable.student.completions import Example
from teachable.student.devices import choose_device
from teachable.student.layouts.chat import ChatLayout
from teachable.student.lora import LoraSettings, train_lora
from teachable.student.model import Student
from teachable.student.prompt import Context, Transition
from teachable.student.scoring import Request, last_logits, log_softmax
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
    snapshots: int  # that episodes start from
    adapters: int  # of one example each
    plain: int  # decisions by one forward pass a command, for comparison
    matrix: int  # rows of the matrix whose product is timed
    prefill: tuple[int, int]  # prompts and tokens of each


def chat_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A tokenizer with a ChatML template, whose marks are tokens of their own."""
    tokenizer = train_tokenizer(texts, vocabulary)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_student(shape: dict[str, int], device: torch.device, seed: int = 0) -> Student:
    """A student of this shape with random weights, made on the device itself."""
    tokenizer = chat_tokenizer([f"take {thing} from counter" for thing in THINGS], 400)
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
    return Student(model, tokenizer, ChatLayout(tokenizer), name="random", fingerprint="random")


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


def matrix_rate(device: torch.device, dtype: torch.dtype, rows: int) -> float:
    """FLOP a second of the fastest of ten products of two square matrices."""
    left, right = (torch.randn(rows, rows, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(10):
        start = clock(device)
        _ = left @ right
        seconds.append(clock(device) - start)
    return 2 * rows**3 / min(seconds)


def weights_of(model: Any) -> tuple[int, int]:
    """Weights that every token meets in a product, and those of the output layer, which only some columns meet."""
    last = model.get_output_embeddings().weight.numel()
    layers = sum(value.numel() for key, value in model.get_decoder().layers.named_parameters() if "lora_" not in key)
    return layers, last


def prefill(student: Student, sizes: Sizes, best: float) -> dict[str, Any]:
    """Plain forward passes over whole prompts, the last column's logits alone."""
    rows, width = sizes.prefill
    ids = torch.randint(0, student.model.config.vocab_size, (rows, width), device=student.device)
    layers, last = weights_of(student.model)
    seconds = []
    with torch.inference_mode():
        for _ in range(sizes.repeats + 1):  # the first one loads kernels
            start = clock(student.device)
            last_logits(student.model, 1, input_ids=ids)
            seconds.append(clock(student.device) - start)
    median = float(np.median(seconds[1:]))
    rate = 2 * (layers * rows * width + last * rows) / median
    return {
        "tokens_per_second": rows * width / median,
        "tflops": rate / 1e12,
        "share_of_matrix_rate": rate / best,
        "peak_gib": peak(student.device),
    }


def requests_of(student: Student, contexts: list[Context]) -> list[Request]:
    found = []
    for context, ids in zip(contexts, student.encode_prompts([student.prompt(one) for one in contexts]), strict=True):
        commands = [student.encode_command(command) for command in context.commands]
        found.append(Request(ids, build_tree(commands), commands))
    return found


def plainly(student: Student, contexts: list[Context]) -> tuple[float, list[np.ndarray]]:
    """Decisions a second by one forward pass a command, and their log-probabilities."""
    requests = requests_of(student, contexts)
    with torch.inference_mode():
        student.scores(requests[:1], "naive")
        start = clock(student.device)
        values = student.scores(requests, "naive")
        seconds = clock(student.device) - start
    rows = [request.tree.scores(row, mean=False) for request, row in zip(requests, values, strict=True)]
    return len(contexts) / seconds, [log_softmax(row) for row in rows]


def score(
    student: Student, contexts: list[Context], repeats: int, plain: float, exact: list[np.ndarray]
) -> dict[str, Any]:
    """Different decisions a second, and how far the first ones are from full sequences."""
    prompts = [student.prompt(context) for context in contexts]
    commands = [context.commands for context in contexts]
    student.policy(prompts[:2], commands[:2])  # kernels load
    seconds = []
    for _ in range(repeats):
        student.forget(everything=True)
        start = clock(student.device)
        answers = student.policy(prompts, commands)
        seconds.append(clock(student.device) - start)
    lengths = [len(ids) for ids in student.encode_prompts(prompts)]
    median = float(np.median(seconds))
    return {
        "method": student.method,
        "decisions": len(prompts),
        "commands_mean": float(np.mean([len(listed) for listed in commands])),
        "prompt_tokens_mean": float(np.mean(lengths)),
        "decisions_per_second": len(prompts) / median,
        "plain_decisions_per_second": plain,
        "times_plain": len(prompts) / median / plain,
        "prompt_tokens_per_second": sum(lengths) / median,
        "batch_tokens": student.batch_tokens,
        "largest_difference_to_full_sequences_nats": max(
            float(np.abs(a - b).max()) for a, b in zip(answers, exact, strict=False)
        ),
        "peak_gib": peak(student.device),
    }


EPISODES, STEPS = 7, 6  # from a snapshot, and commands of each


def waves(snapshots: list[Context]) -> list[list[Context]]:
    """What Monte Carlo labels ask: all episodes' first decisions, then all second ones, and so on.

    An episode takes one of two commands at every step, by a fixed rule, so that beginnings are shared and ends are not.
    """
    found: list[list[Context]] = [[] for _ in range(STEPS)]
    for number, snapshot in enumerate(snapshots):
        for episode in range(EPISODES):
            now = snapshot
            for step in range(STEPS):
                found[step].append(now)
                way = (number * 31 + episode * (step + 3) * 7) // 3 % 2
                seen = f"You do it. ({step}{way}) " * 4
                history = (*now.history, Transition(now.commands[way], now.observation))
                now = replace(now, observation=seen, history=history)
    return found


def label(student: Student, contexts: list[Context], plain: float) -> dict[str, Any]:
    """Requests of labelling a second, with all that the student remembers, and the tokens that it read for them."""
    asked = waves(contexts)
    student.forget(everything=True)
    start = clock(student.device)
    with counted(student.model) as read:
        for wave in asked:
            student.policy([student.prompt(one) for one in wave], [one.commands for one in wave])
    seconds = clock(student.device) - start
    every = [one for wave in asked for one in wave]
    known = {(student.prompt(one), one.commands): one for one in every}
    sequences = {
        key: [request.prompt + ids[:-1] for ids in request.commands]
        for key, request in zip(known, requests_of(student, list(known.values())), strict=True)
    }
    least = fewest([one for listed in sequences.values() for one in listed])
    full = sum(len(one) for each in every for one in sequences[student.prompt(each), each.commands])
    return {
        "requests": len(every),
        "distinct": len(known),
        "requests_per_second": len(every) / seconds,
        "times_plain": len(every) / seconds / plain,
        "tokens_encoded": read.tokens,
        "tokens_fewest": least,
        "tokens_of_full_sequences": full,
        "encoded_over_fewest": read.tokens / least,
        "full_over_encoded": full / read.tokens,
        "peak_gib": peak(student.device),
    }


def train(student: Student, contexts: list[Context], steps: int, best: float) -> dict[str, Any]:
    """LoRA steps with an effective batch of 8 examples, and whether the adapter is in force afterwards."""
    examples = [Example(student.prompt(context), context.commands[0]) for context in contexts]
    settings = LoraSettings(rank=16, alpha=32, learning_rate=1e-4, batch_size=8, micro_batch=8, max_steps=steps)
    train_lora(student, examples[:8], replace(settings, max_steps=1), seed=0, name="check")
    peak(student.device)
    record = train_lora(student, examples, settings, seed=0, name="check")
    change = student.check_adapter("check")
    student.remove_adapter("check")
    layers, last = weights_of(student.model)
    rate = 4 * (layers * record.tokens + last * record.completion_tokens) / record.seconds
    return {
        "steps": record.steps,
        "seconds_per_step": record.seconds / record.steps,
        "tokens_per_second": record.tokens / record.seconds,
        "tokens_per_example": record.tokens / record.steps / 8,
        "share_of_matrix_rate": rate / best,
        "micro_batch": record.micro_batch,
        "loss_first": record.loss_first,
        "loss_last": record.loss_last,
        "probe_change": change,
        "peak_gib": peak(student.device),
    }


def micro(student: Student, contexts: list[Context]) -> dict[str, Any]:
    """An adapter of one example and two steps each; each answers the decision that it was trained on."""
    settings = LoraSettings(rank=16, alpha=32, learning_rate=1e-3, max_steps=2, warmup=0.0, schedule="constant")
    trained = asked = 0.0
    for number, context in enumerate(contexts):
        start = clock(student.device)
        example = Example(student.prompt(context), context.commands[0])
        train_lora(student, [example], settings, seed=number, name="micro")
        then = clock(student.device)
        student.policy([example.prompt], [context.commands], adapters=["micro"])
        trained, asked = trained + then - start, asked + clock(student.device) - then
    student.remove_adapter("micro")
    return {
        "adapters": len(contexts),
        "seconds_to_train_one": trained / len(contexts),
        "seconds_to_ask_one": asked / len(contexts),
        "peak_gib": peak(student.device),
    }


def run(device: torch.device, sizes: Sizes) -> dict[str, Any]:
    """The whole check; numbers as in the JSON file."""
    began = clock(device)
    student = make_student(QWEN3_8B if device.type == "cuda" else TOY, device)
    contexts = situations(sizes.decisions, sizes.turns)
    memory = peak(device)
    best = matrix_rate(device, student.model.dtype, sizes.matrix)
    described = {**student.describe(), "gib_loaded": memory}
    parts = {"prefill": prefill(student, sizes, best)}
    plain, exact = plainly(student, contexts[: sizes.plain])
    parts["scoring"] = score(student, contexts, sizes.repeats, plain, exact)
    parts["labelling"] = label(student, contexts[: sizes.snapshots], plain)
    parts["training"] = train(student, contexts[: max(8, 8 * sizes.steps)], sizes.steps, best)
    parts["micro"] = micro(student, contexts[: sizes.adapters])
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "torch": torch.__version__,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "model": described,
        "matrix_tflops": best / 1e12,
        **parts,
        "seconds": clock(device) - began,
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
            snapshots=24 if gpu else 3,
            adapters=8 if gpu else 2,
            plain=8 if gpu else 3,
            matrix=8192 if gpu else 256,
            prefill=(16, 1024) if gpu else (2, 64),
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
