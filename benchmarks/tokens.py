"""Tokens that go through the model in labelling, against the fewest possible, and against full sequences.

    python benchmarks/tokens.py [--results results]

The requests are those that labelling really makes (`workload.py`), in all prompt layouts. Encoded: all columns of all
forward passes, padding included. The fewest possible: the distinct tokens of the tree of all histories asked about,
prompts and commands, where every token is encoded once. Tokens do not depend on weights, so the students are tiny.
`ratio` is encoded over fewest for layout chat; `times_fewer` is what full sequences, one a command, would take over
what was encoded. Writes `results/tokens.json`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import workload
from counting import counted, fewest
from side_by_side import row, write

from teachable.rollouts import CachedPolicy
from teachable.rollouts.policy import Request
from teachable.student import Student
from teachable.student.trees import build_tree

TINY = {
    "vocab_size": 2048, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1,
}  # fmt: skip
WHAT = "tokens encoded in labelling over the distinct tokens of the tree of all histories asked about"


def case(name: str, student: Student, waves: Sequence[workload.Wave]) -> dict[str, Any]:
    """One student that is asked these waves, with nothing remembered at the start."""
    student.forget(everything=True)
    cached = CachedPolicy(student)
    with counted(student.model) as read:
        for wave in waves:
            cached.ask([Request(prompt, commands) for prompt, commands in wave])
    encoded = read.tokens
    requests = [request for wave in waves for request in wave]
    known = list(dict.fromkeys(requests))
    prompts = dict(zip(known, student.encode_prompts([prompt for prompt, _ in known]), strict=True))
    sequences = {
        request: [prompts[request] + student.encode_command(command)[:-1] for command in request[1]]
        for request in known
    }
    least = fewest([one for request in known for one in sequences[request]])
    full = sum(len(one) for request in requests for one in sequences[request])
    trees = {commands: build_tree([student.encode_command(one) for one in commands]) for _, commands in known}
    behind = [len(one) - len(prompts[request]) for request in known for one in sequences[request]]
    whole = sum(len(prompts[request]) + trees[request[1]].size for request in known)
    return {
        "case": name,
        "ratio": encoded / least,
        "ours": encoded,
        "peer": least,
        "spread": [encoded / least] * 2,
        "unit": "tokens",
        "requests": len(requests),
        "distinct": len(known),
        "full_sequences": full,
        "times_fewer": full / encoded,
        "decision": {  # on average over the distinct ones
            "prompt": float(np.mean([len(ids) for ids in prompts.values()])),
            "commands": float(np.mean([len(commands) for _, commands in known])),
            "command": float(np.mean(behind)),
            "nodes": float(np.mean([trees[commands].size for _, commands in known])),
            "distinct": len(known) / len(requests),
            "fresh": least / whole,
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = workload.arguments(__doc__)
    parser.add_argument("--snapshots", type=int, default=12)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    run = workload.open_run(given.results)
    builtin = Student.load(run.weights, device="cpu")
    chat = workload.chat_waves(run, builtin, given.snapshots)
    with tempfile.TemporaryDirectory() as folder:
        weights = workload.llama(Path(folder) / "tiny", workload.tokenizer_of(chat), TINY)
        cases = []
        for layout in workload.LAYOUTS:
            small = Student.load(weights, device="cpu", layout=layout)
            for how, estimation in (("trees", None), ("Monte Carlo", run.protocol)):
                waves = workload.chat_waves(run, builtin, given.snapshots, estimation, layout)
                cases.append(case(f"layout {layout}, {how}", small, waves))
        cases += [
            case(
                "layout compact, trees, built-in student",
                builtin,
                workload.recorded(run, builtin, given.snapshots, builtin.prompt, "compact"),
            ),
        ]
    write(row("tokens", WHAT, cases, snapshots=given.snapshots), given.into)


if __name__ == "__main__":
    main()
