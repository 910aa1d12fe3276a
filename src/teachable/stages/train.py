"""Train the LoRA adapter of one run, and make sure that it changes what the student does.

A run without anything to learn from (its quadrant has no training snapshot) cannot be: the adapter's directory then
holds nothing but ``absent.json``, which says why, and everything behind it goes on without the run.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import polars as pl

from teachable import seeds, tables
from teachable.evaluation.probes import adapter_probe
from teachable.stages.models import ABSENT, load_student
from teachable.student.lora import Example, LoraSettings, train_lora
from teachable.training.budget import Replay
from teachable.training.matrix import REPLAY_ONLY, UNIFORM, describe

if TYPE_CHECKING:
    from teachable.stages.params import Train
    from teachable.stages.runner import Inputs, Outputs

CHECKPOINTS = {"first": 1 / 3, "middle": 2 / 3}  # shares of the steps; the last is the adapter itself
NOTHING = "none of the training snapshots belongs to this run"
PROBES = 16  # examples on which the adapter must differ from the base


def run(inputs: Inputs, outputs: Outputs, params: Train) -> None:
    table = tables.read(inputs["examples"][0], tables.EXAMPLES)
    training = params.training
    own = (pl.col("run") == params.run) & (pl.col("draw").is_null() | (pl.col("draw") == params.train_seed))
    examples = _texts(table.filter(own))
    pool = _texts(tables.read(inputs["replay"][0], tables.EXAMPLES))
    replay = Replay(training.replay, len(pool), training.epochs, training.batch_size)
    replayed = replay.beside(len(examples))
    if params.run == REPLAY_ONLY:
        size = table.filter(pl.col("run") == UNIFORM).height
        replayed = (size + replay.beside(size)) if pool else 0
    about = describe(params.run)
    record = {"run": params.run, "train_seed": params.train_seed, "quadrant": about.quadrant, "format": about.format}
    if not examples and not replayed:
        reason = "the student won no training-side episode to replay" if params.run == REPLAY_ONLY else NOTHING
        print(f"{params.run}: not trained: {reason}", flush=True)
        outputs["adapter"].mkdir(parents=True)
        tables.write_json({"reason": reason}, outputs["adapter"] / ABSENT)
        tables.write_json({**record, "absent": reason}, outputs["record"])
        return
    settings = LoraSettings(
        rank=params.lora.rank,
        alpha=params.lora.alpha,
        dropout=params.lora.dropout,
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        batch_size=training.batch_size,
        micro_batch=training.micro_batch,
        warmup=training.warmup,
        base_penalty=training.base_penalty,
    )
    student = load_student(inputs["student"][0])

    def show(step: int, steps: int, loss: float) -> None:
        if step == steps or step % max(1, steps // 10) == 0:
            print(f"{params.run}: step {step}/{steps}  loss {loss:.4f}", flush=True)

    trained = train_lora(
        student,
        examples,
        settings,
        seed=seeds.integer(params.seed, "train", params.run, params.train_seed),
        replay=pool,
        replayed=replayed,
        out=outputs["adapter"],
        checkpoints=tuple(CHECKPOINTS.values()),
        progress=show,
    )
    student.add_adapter(params.run, outputs["adapter"])
    probed = (examples or pool)[:PROBES]
    choices = sorted({"look", *(example.completion for example in probed)})  # two at least, admissible or not
    shift = adapter_probe(student, params.run, [example.prompt for example in probed], [choices] * len(probed))
    kept = {
        key: value for key, value in asdict(trained).items() if key not in ("path", "checkpoints", "losses", "seconds")
    }
    tables.write_json(
        {
            **record,
            "epochs": training.epochs,
            "seconds": round(trained.seconds, 3),
            "losses": [round(loss, 6) for loss in trained.losses],
            "probe_shift": shift,
            **kept,
        },
        outputs["record"],
    )


def _texts(table: pl.DataFrame) -> list[Example]:
    return [Example(prompt, completion) for prompt, completion in table.select("prompt", "completion").iter_rows()]
