"""LoRA fine-tuning against TRL's SFTTrainer: the same examples in the same order, from the same adapter.

    python benchmarks/lora_sft.py [--results results] [--rounds 3]

240 examples of the run's training side (the teacher's command behind the student's prompt), 2 epochs, batch 8, rank 8,
AdamW at a constant rate. Ours is the whole of `train_lora`, tokenising included; of TRL only `train()` counts. Writes
`results/lora_sft_vs_trl.json`; the difference is the largest one between mean losses of the same ten steps, in nats a
token.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import workload
from side_by_side import Peer, Took, compared, row, take_turns, timed, write

from teachable.student import Example, LoraSettings, Student, train_lora
from teachable.student.adapter_files import write_adapter
from teachable.student.adapters import lora_config
from teachable.student.batches import epoch_batches
from teachable.student.completions import encode
from teachable.student.prompt import Context

SEED = 1
WHAT = "LoRA SFT, 240 examples, 2 epochs, batch 8, rank 8: train_lora against TRL's SFTTrainer.train()"


def examples_of(run: workload.Run, student: Student, count: int) -> list[Example]:
    """The teacher's command behind the prompt of the first ``count`` snapshots, those again where there are fewer."""
    actions = dict(run.advice.filter("valid").select("snapshot_id", "suggested_action").iter_rows())
    rows = [row for row in run.snapshots.iter_rows(named=True) if row["snapshot_id"] in actions]
    made = [Example(student.prompt(Context.of(row)), actions[row["snapshot_id"]]) for row in rows]
    return [made[index % len(made)] for index in range(count)]


def start_from(student: Student, settings: LoraSettings, out: Path) -> Path:
    """The adapter that `train_lora` begins with, in PEFT's format."""
    config = lora_config(settings.rank, settings.alpha, settings.dropout, settings.targets)
    student.bank.create("start", config)
    student.bank.reset("start", SEED)
    config = student.bank.config("start")
    config.base_model_name_or_path = student.name
    write_adapter(out, config, student.bank.state("start"), {})
    student.bank.remove("start")
    return out


def measure(given: Any) -> dict[str, Any]:
    """The case: the built-in student."""
    run = workload.open_run(given.results)
    student = Student.load(run.weights, device="cpu")
    examples = examples_of(run, student, given.examples)
    settings = LoraSettings(
        rank=8, alpha=16, learning_rate=1e-3, epochs=2.0, batch_size=8, warmup=0.0, schedule="constant"
    )
    per_epoch = -(-len(examples) // settings.batch_size)
    steps = round(settings.epochs * per_epoch)
    order = epoch_batches(len(examples), settings.batch_size, steps, np.random.default_rng(SEED))
    encoded = encode(student, examples, None)
    rows = [(encoded[index].ids, encoded[index].start) for batch in order for index in batch]
    losses: dict[str, list[float]] = {}

    def ours() -> Took:
        record, took = timed(lambda: train_lora(student, examples, settings, seed=SEED, name="trained"))
        losses["ours"] = list(record.losses)
        return took

    with tempfile.TemporaryDirectory() as folder, Peer("trl_peer.py", given.threads) as peer:
        print(peer.ask(action="load", directory=str(run.weights))["versions"], flush=True)
        adapter = start_from(student, settings, Path(folder) / "start")

        def theirs() -> Took:
            found = peer.ask(
                action="train", adapter=str(adapter), rows=rows, batch_size=settings.batch_size,
                learning_rate=settings.learning_rate, clip=settings.clip, steps=steps,
            )  # fmt: skip
            losses["peer"] = found["losses"]
            return Took(found["cpu"], found["wall"])

        took = take_turns({"ours": ours, "peer": theirs}, given.rounds)
    tens = [float(np.mean(losses["ours"][at : at + 10])) for at in range(0, steps, 10)]
    gaps = [abs(a - b) for a, b in zip(tens, losses["peer"], strict=True)]
    return {
        "case": "built-in student",
        **compared(took["ours"], took["peer"]),
        "steps": steps,
        "tokens": sum(len(ids) for ids, _ in rows),
        "loss_first": losses["ours"][0],
        "loss_last": losses["ours"][-1],
        "largest_difference_nats": max(gaps),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = workload.arguments(__doc__)
    parser.add_argument("--examples", type=int, default=240)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    write(row("lora_sft_vs_trl", WHAT, [measure(given)], threads=given.threads), given.into)


if __name__ == "__main__":
    main()
