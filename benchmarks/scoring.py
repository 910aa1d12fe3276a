"""Four ways to score every admissible command, side by side on the same decisions.

    python benchmarks/scoring.py [--student DIR] [--out benchmarks/out/scoring.json]

Naive: one forward pass a command. Batched: one a decision, over full sequences. Prefix cache: the prompt
once, its cache repeated. Tree: one for many decisions, prompts and token trees. The ways take turns, so
that a slow moment of the machine hits all alike; medians and ratios of medians are printed. Without
--student, a random model of the built-in student's shape.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_check import situations

from teachable.student.builder import StudentSettings, new_model, train_tokenizer
from teachable.student.layouts.compact import CompactLayout
from teachable.student.model import Student
from teachable.student.scoring import SCORERS


def make_student(directory: Path | None) -> Student:
    """The student in `directory`, or one of the built-in shape with random weights; it remembers nothing."""
    if directory is not None:
        return Student.load(directory, memory=0)
    layout = CompactLayout("recipe")
    texts = [f"{layout.render(context)} {context.commands[0]}\n" for context in situations(24, 3)]
    tokenizer = train_tokenizer(texts, 700)
    model = new_model(StudentSettings(), len(tokenizer), seed=0)
    return Student(model, tokenizer, layout, name="random", fingerprint="random", memory=0)


def compare(student: Student, decisions: int, rounds: int) -> dict[str, Any]:
    """Medians of decisions a second, ratios to naive, and the largest difference from naive in nats."""
    contexts = situations(decisions, 3)
    prompts = [student.prompt(context) for context in contexts]
    commands = [context.commands for context in contexts]
    seconds: dict[str, list[float]] = {name: [] for name in ("naive", "batched", "prefix_cache", "tree")}
    answers: dict[str, list[np.ndarray]] = {}
    for turn in range(rounds + 1):
        for name in seconds:
            student.method = name
            start = time.perf_counter()
            answers[name] = student.policy(prompts, commands)
            if turn:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    assert seconds.keys() == SCORERS.keys()
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return {
        "decisions": decisions,
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "batch_tokens": student.batch_tokens,
        "commands_mean": float(np.mean([len(listed) for listed in commands])),
        "prompt_tokens_mean": float(np.mean([len(ids) for ids in student.encode_prompts(prompts)])),
        "methods": {
            name: {
                "decisions_per_second": decisions / medians[name],
                "times_naive": medians["naive"] / medians[name],
                "seconds": seconds[name],
                "largest_difference_nats": max(
                    float(np.abs(a - b).max()) for a, b in zip(answers[name], answers["naive"], strict=True)
                ),
            }
            for name in medians
        },
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", type=Path, default=None, help="a student directory")
    parser.add_argument("--decisions", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="write the result to this JSON file too")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    result = compare(make_student(given.student), given.decisions, given.rounds)
    for name, row in result["methods"].items():
        print(
            f"{name:13s} {row['decisions_per_second']:8.1f} decisions/s  {row['times_naive']:6.2f} x naive  "
            f"differs by {row['largest_difference_nats']:.1e} nats"
        )
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


if __name__ == "__main__":
    main()
