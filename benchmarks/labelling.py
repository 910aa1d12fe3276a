"""Labelling's decisions by the student, against lm-eval and against one forward pass a command.

    python benchmarks/labelling.py [--results results] [--llama DIR] [--rounds 3]

Two students: the built-in one, and one of SmolLM2-135M's shape behind a chat template. Two kinds of work: different
decisions of single prompts, which shows one pass over a tree of commands; and what labelling really asks, with its
repeats, which shows what is remembered as well: by the protocol's Monte Carlo and by rollout trees, which merge states
before they ask. lm-eval gets token ids, and each wave in one call, as it is asked: within a call it sorts by length and
scores equal sequences once, 32 a batch; it remembers nothing between calls. One pass a command does every `k`-th
request, and its seconds are multiplied by k: for it a request costs the same each time.

Writes `results/labelling_vs_lm_eval.json` and `results/labelling_vs_naive.json`; differences are the largest ones, in
nats, between normalised log-probabilities.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import workload
from side_by_side import Peer, Took, compared, row, take_turns, timed, write

from teachable.rollouts import CachedPolicy
from teachable.rollouts.policy import Request
from teachable.student import Student
from teachable.student.scoring import log_softmax

WHAT = {
    "lm_eval": "labelling's decisions: the student against lm-eval's HFLM, batch 32, on the same tokens",
    "naive": "labelling's decisions: the student against one forward pass a command",
}


@dataclass
class Work:
    """Waves of decisions, the part of them that one pass a command does, and what all sides answered last."""

    student: Student
    directory: Path
    waves: list[workload.Wave]
    every: int  # one pass a command does each such request
    answers: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        requests = [request for wave in self.waves for request in wave]
        self.asked = len(requests)
        self.distinct = len(set(requests))
        self.sample = requests[:: self.every]
        prompts = self.student.encode_prompts([prompt for prompt, _ in requests])
        tokens = [
            (ids, [self.student.encode_command(command) for command in commands])
            for ids, (_, commands) in zip(prompts, requests, strict=True)
        ]
        rest = iter(tokens)
        self.calls = [[next(rest) for _ in wave] for wave in self.waves]
        self.tokens = tokens[:: self.every]

    def ours(self) -> Took:
        """As labelling asks: wave by wave, remembering what was asked; with nothing remembered at the start."""
        self.student.forget(everything=True)
        cached = CachedPolicy(self.student)

        def ask() -> None:
            for wave in self.waves:
                cached.ask([Request(prompt, commands) for prompt, commands in wave])

        _, took = timed(ask)
        self.answers["ours"] = cached.ask([Request(prompt, commands) for prompt, commands in self.sample])
        return took

    def naive(self) -> Took:
        """One forward pass a command, only for the logits that are needed; nothing remembered."""
        used, self.student.method = self.student.method, "naive"

        def ask() -> list[np.ndarray]:
            found = []
            for prompt, commands in self.sample:
                self.student.forget(everything=True)
                found += self.student.policy([prompt], [commands])
            return found

        self.answers["naive"], took = timed(ask)
        self.student.method = used
        return took

    def lm_eval(self, peer: Peer) -> Took:
        given = [peer.ask(action="score", decisions=call) for call in self.calls]
        scores = [np.asarray(row) / self.student.temperature for one in given for row in one["scores"]]
        self.answers["lm_eval"] = [log_softmax(row) for row in scores[:: self.every]]
        return Took(sum(one["cpu"] for one in given), sum(one["wall"] for one in given))

    def cases(self, name: str, peer: Peer, rounds: int, warm: bool) -> dict[str, dict[str, Any]]:
        """This work against both peers."""
        sides = {"ours": self.ours, "naive": self.naive, "lm_eval": lambda: self.lm_eval(peer)}
        took = take_turns(sides, rounds, warm)
        ids = [len(prompt) for prompt, _ in self.tokens]
        done = {"lm_eval": 1.0, "naive": self.asked / len(self.sample)}
        return {
            other: {
                "case": name,
                **compared(took["ours"], took[other], done[other]),
                "requests": self.asked,
                "distinct": self.distinct,
                "peer_did": round(self.asked / done[other]),
                "prompt_tokens": float(np.mean(ids)),
                "commands": float(np.mean([len(commands) for _, commands in self.tokens])),
                "largest_difference_nats": max(
                    float(np.abs(a - b).max()) for a, b in zip(self.answers["ours"], self.answers[other], strict=True)
                ),
            }
            for other in ("lm_eval", "naive")
        }


def measure(given: Any) -> dict[str, list[dict[str, Any]]]:
    """The cases of both rows."""
    run = workload.open_run(given.results)
    builtin = Student.load(run.weights, device="cpu")
    found: dict[str, list[dict[str, Any]]] = {"lm_eval": [], "naive": []}
    compact = workload.recorded(run, builtin, given.snapshots, builtin.prompt, "compact", run.protocol)
    trees = workload.recorded(run, builtin, given.snapshots, builtin.prompt, "compact")
    chat = workload.chat_waves(run, builtin, given.llama_snapshots, run.protocol)
    with tempfile.TemporaryDirectory() as folder:
        directory = given.llama or workload.llama(Path(folder) / "llama", workload.tokenizer_of(chat))
        large = Student.load(directory, device="cpu")
        name = large.name if given.llama else "135M, random"
        works = {
            "built-in student, Monte Carlo labels": Work(builtin, run.weights, compact, given.every),
            "built-in student, rollout trees": Work(builtin, run.weights, trees, given.every),
            "built-in student, distinct": Work(builtin, run.weights, [workload.distinct(compact, given.distinct)], 1),
            f"{name}, Monte Carlo labels": Work(large, directory, chat, given.llama_every),
            f"{name}, distinct": Work(large, directory, [workload.distinct(chat, given.llama_distinct)], 1),
        }
        for case, work in works.items():
            with Peer("lm_eval_peer.py", given.threads) as peer:
                loaded = peer.ask(action="load", directory=str(work.directory), batch_size=32)
                print(f"{case}: {work.asked} requests, {work.distinct} distinct; {loaded['versions']}", flush=True)
                small = work.student is builtin
                cases = work.cases(case, peer, given.rounds if small else given.llama_rounds, warm=small)
                for other, one in cases.items():
                    found[other].append(one)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = workload.arguments(__doc__)
    parser.add_argument("--snapshots", type=int, default=12, help="that are labelled with the built-in student")
    parser.add_argument("--every", type=int, default=10, help="one pass a command does each such request")
    parser.add_argument("--distinct", type=int, default=100, help="different decisions of the built-in student")
    parser.add_argument("--llama", type=Path, help="a model directory in place of random weights")
    parser.add_argument("--llama-snapshots", type=int, default=1)
    parser.add_argument("--llama-every", type=int, default=60)
    parser.add_argument("--llama-distinct", type=int, default=6)
    parser.add_argument("--llama-rounds", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    for other, cases in measure(given).items():
        write(row(f"labelling_vs_{other}", WHAT[other], cases, threads=given.threads), given.into)


if __name__ == "__main__":
    main()
