"""One-example adapters: trained side by side against PEFT alone and a loop, and asked in one wave against in turn.

    python benchmarks/micro_training.py [--student DIR] [--out benchmarks/results]

Trained: 64 adapters of one example each, two steps, (a) with a fresh PEFT model and torch's AdamW each, (b) by
`train_lora`, one adapter reset in place, (c) by `train_stacked`. Asked: decisions of 16 of these adapters, one each,
(d) one adapter after the other, as PEFT switches them, (e) in one wave with an adapter a row, (f) in one wave by PEFT's
own loop over `adapter_names`. Ways take turns, so that a slow moment of the machine hits all alike; ratios are medians
over the rounds of the ratio within each, of CPU time. Without --student, a random model of the built-in student's
shape; --shape llama-135m takes one of SmolLM2-135M's shape.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_check import situations
from peft import get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from teachable.student.adapters import AdapterBank, lora_config
from teachable.student.builder import StudentSettings, new_model, train_tokenizer
from teachable.student.completions import Encoded, Example, encode
from teachable.student.layouts.compact import CompactLayout
from teachable.student.lora import LoraSettings, train_lora
from teachable.student.model import Student
from teachable.student.stacked import Job, train_stacked

LLAMA_135M = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "tie_word_embeddings": True,
}  # fmt: skip
SETTINGS = LoraSettings(rank=8, alpha=16, learning_rate=3e-3, max_steps=2, schedule="constant", warmup=0.0)


def make_student(directory: Path | None) -> Student:
    """The student in `directory`, or one of the built-in shape with random weights; it remembers nothing."""
    if directory is not None:
        return Student.load(directory, memory=0)
    layout = CompactLayout("recipe")
    texts = [f"{layout.render(context)} {context.commands[0]}\n" for context in situations(24, 3)]
    tokenizer = train_tokenizer(texts, 700)
    model = new_model(StudentSettings(), len(tokenizer), seed=0)
    return Student(model, tokenizer, layout, name="random", fingerprint="random", memory=0)


def llama(shape: dict[str, Any]) -> Student:
    """A student of this Llama shape with random weights, and the tokenizer of the built-in one."""
    torch.manual_seed(0)
    small = make_student(None)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(small.tokenizer), **shape))
    return Student(model, small.tokenizer, CompactLayout("recipe"), name="random", fingerprint="random", memory=0)


def fresh_peft(student: Student, rows: list[Encoded], seeds: list[int]) -> None:
    """A PEFT model, an optimiser and two steps for each example, as PEFT's documentation shows it."""
    model = student.model
    for row, seed in zip(rows, seeds, strict=True):
        torch.manual_seed(seed)
        tuned = get_peft_model(model, lora_config(SETTINGS.rank, SETTINGS.alpha, 0.0, "all-linear"))
        trained = [value for value in tuned.parameters() if value.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=SETTINGS.learning_rate, weight_decay=0.0)
        ids = torch.tensor([row.ids])
        labels = ids.clone()
        labels[:, : row.start] = -100
        for _ in range(SETTINGS.max_steps or 1):
            optimiser.zero_grad()
            tuned(input_ids=ids, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, SETTINGS.clip)
            optimiser.step()
        tuned.unload()
        model.requires_grad_(False)


def turns(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """CPU-seconds of each way in each round, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            if number:
                seconds[name].append(time.process_time() - begun)
    return seconds


def ratio(seconds: dict[str, list[float]], peer: str, ours: str) -> dict[str, Any]:
    """Median over the rounds of peer / ours, its quartiles, and the median seconds of both."""
    found = np.array(seconds[peer]) / np.array(seconds[ours])
    return {
        "ratio": float(np.median(found)),
        "spread": [float(value) for value in np.quantile(found, (0.25, 0.75))],
        "ours": float(np.median(seconds[ours])),
        "peer": float(np.median(seconds[peer])),
    }


def training(student: Student, adapters: int, rounds: int) -> dict[str, Any]:
    """Ratios of (a) and (b) to (c), and the largest difference of a weight between (b) and (c)."""
    contexts = situations(adapters, 3)
    examples = [Example(student.prompt(one), one.commands[i % len(one.commands)]) for i, one in enumerate(contexts)]
    rows, seeds = encode(student, examples, None), list(range(adapters))
    jobs = [Job([example], seed, f"adapter {seed}") for example, seed in zip(examples, seeds, strict=True)]

    def loop() -> None:
        for example, seed in zip(examples, seeds, strict=True):
            train_lora(student, [example], SETTINGS, seed=seed, name="loop")

    def stacked() -> None:
        train_stacked(student, jobs, SETTINGS)

    def fresh() -> None:
        for name in student.adapters:
            student.remove_adapter(name)
        fresh_peft(student, rows, seeds)

    seconds = turns({"fresh": fresh, "loop": loop, "stacked": stacked}, rounds)
    apart = 0.0
    for job in jobs:
        train_lora(student, job.examples, SETTINGS, seed=job.seed, name="loop")
        one, other = student.bank.state("loop"), student.bank.state(str(job.name))
        apart = max(apart, max(float((one[key] - other[key]).abs().max()) for key in one))
    student.remove_adapter("loop")
    return {
        "adapters": adapters,
        "tokens_mean": float(np.mean([len(row.ids) for row in rows])),
        "to_fresh_peft": ratio(seconds, "fresh", "stacked"),
        "to_loop": ratio(seconds, "loop", "stacked"),
        "largest_difference_of_a_weight": apart,
    }


@contextmanager
def peft_rows(bank: AdapterBank, names: Sequence[str | None]) -> Iterator[None]:
    """As `AdapterBank.rows`, by PEFT's layers, which go through the adapters one after the other."""
    bank.activate(names[0])
    bank._lora.eval()
    with bank._lora._enable_peft_forward_hooks(adapter_names=[bank._slots[str(name)] for name in names]):
        yield


def asking(student: Student, adapters: int, rounds: int) -> dict[str, Any]:
    """Ratios of (d) and (f) to (e), and the largest difference of (d) and (e) in nats."""
    names = student.adapters[:adapters]
    for name in names:  # as PEFT's, which every way can use
        config, state = student.bank.config(name), student.bank.state(name)
        student.remove_adapter(name)
        student.bank.create(name, config)
        student.bank.fill(name, state, "benchmark")
    contexts = situations(adapters, 4)
    prompts, commands = [student.prompt(one) for one in contexts], [one.commands for one in contexts]
    answers: dict[str, list[np.ndarray]] = {}
    bank: Any = student.bank

    def in_turn() -> None:
        asked = zip(prompts, commands, names, strict=True)
        answers["in_turn"] = [student.policy([p], [c], adapters=[name])[0] for p, c, name in asked]

    def wave() -> None:
        answers["wave"] = student.policy(prompts, commands, adapters=names)

    def peft() -> None:
        bank.rows = partial(peft_rows, bank)
        try:
            answers["peft"] = student.policy(prompts, commands, adapters=names)
        finally:
            del bank.rows

    seconds = turns({"in_turn": in_turn, "wave": wave, "peft": peft}, rounds)
    off = {
        name: max(float(np.abs(a - b).max()) for a, b in zip(answers["in_turn"], answers[name], strict=True))
        for name in ("wave", "peft")
    }
    return {
        "adapters": adapters,
        "to_in_turn": ratio(seconds, "in_turn", "wave"),
        "to_peft_rows": ratio(seconds, "peft", "wave"),
        "largest_difference_nats": off,
    }


def cells(student: Student, runs: int, rounds: int) -> dict[str, Any]:
    """Runs of the matrix: 16 examples in batches of 8, two epochs; one after the other against side by side."""
    settings = replace(SETTINGS, max_steps=None, epochs=2)
    contexts = situations(16 * runs, 3)
    examples = [Example(student.prompt(one), one.commands[i % len(one.commands)]) for i, one in enumerate(contexts)]
    jobs = [Job(examples[16 * run :][:16], run, f"cell {run}") for run in range(runs)]

    def loop() -> None:
        for job in jobs:
            train_lora(student, job.examples, settings, seed=job.seed, name="loop")

    def stacked() -> None:
        train_stacked(student, jobs, settings)

    seconds = turns({"loop": loop, "stacked": stacked}, rounds)
    for name in student.adapters:
        student.remove_adapter(name)
    return {"runs": runs, "to_loop": ratio(seconds, "loop", "stacked")}


def machine() -> str:
    """The processor's name, where the system tells it, and the threads used."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{named or platform.machine()}, {torch.get_num_threads()} thread"


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", type=Path, default=None, help="a student directory")
    parser.add_argument("--shape", choices=("built-in", "llama-135m"), default="built-in")
    parser.add_argument("--adapters", type=int, default=64, help="trained; a quarter of them are asked")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="folder for micro_training_vs_peft.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    student = llama(LLAMA_135M) if given.shape == "llama-135m" else make_student(given.student)
    student._memory_size = 0
    trained = training(student, given.adapters, given.rounds)
    asked = asking(student, max(2, given.adapters // 4), given.rounds)
    for name in student.adapters:
        student.remove_adapter(name)
    side = cells(student, 3, given.rounds)
    result = {
        "name": "micro_training_vs_peft",
        **trained["to_fresh_peft"],
        "unit": "CPU-seconds for all adapters",
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "shape": given.student.name if given.student else given.shape,
        "rounds": given.rounds,
        "training": trained,
        "asking": asked,
        "cells": side,
    }
    fresh, loop = trained["to_fresh_peft"]["ratio"], trained["to_loop"]["ratio"]
    print(f"trained: {fresh:.2f} x fresh PEFT models, {loop:.2f} x loop")
    print(f"asked: {asked['to_in_turn']['ratio']:.2f} x in turn, {asked['to_peft_rows']['ratio']:.2f} x PEFT's rows")
    print(f"cells of 16 examples: {side['to_loop']['ratio']:.2f} x one after the other")
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        path = given.out / "micro_training_vs_peft.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


if __name__ == "__main__":
    main()
