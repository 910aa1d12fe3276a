"""Train the LoRA adapter of one run, and make sure that it changes what the student does."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import polars as pl

from teachable import seeds, tables
from teachable.errors import MissingInput
from teachable.evaluation.probes import adapter_probe
from teachable.stages.models import load_student
from teachable.student.lora import Example, LoraSettings, train_lora
from teachable.training.matrix import describe

if TYPE_CHECKING:
    from teachable.stages.params import Train
    from teachable.stages.runner import Inputs, Outputs

CHECKPOINTS = {"first": 1 / 3, "middle": 2 / 3}  # shares of the steps; the last is the adapter itself
PROBES = 16  # examples on which the adapter must differ from the base


def run(inputs: Inputs, outputs: Outputs, params: Train) -> None:
    table = tables.read(inputs["examples"][0], tables.EXAMPLES).filter(pl.col("run") == params.run)
    if table.is_empty():
        raise MissingInput(f"{inputs['examples'][0]}: run {params.run!r} has no example.")
    examples = [Example(prompt, completion) for prompt, completion in table.select("prompt", "completion").iter_rows()]
    training = params.training
    settings = LoraSettings(
        rank=params.lora.rank,
        alpha=params.lora.alpha,
        dropout=params.lora.dropout,
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        batch_size=training.batch_size,
        micro_batch=training.micro_batch,
        warmup=training.warmup,
    )
    student = load_student(inputs["student"][0])

    def show(step: int, steps: int, loss: float) -> None:
        if step == steps or step % max(1, steps // 10) == 0:
            print(f"{params.run}: step {step}/{steps}  loss {loss:.4f}", flush=True)

    record = train_lora(
        student,
        examples,
        settings,
        seed=seeds.integer(params.seed, "train", params.run),
        out=outputs["adapter"],
        checkpoints=tuple(CHECKPOINTS.values()),
        progress=show,
    )
    student.add_adapter(params.run, outputs["adapter"])
    probed = examples[:PROBES]
    choices = sorted({"look", *(example.completion for example in examples)})  # two at least, admissible or not
    shift = adapter_probe(student, params.run, [example.prompt for example in probed], [choices] * len(probed))
    about = describe(params.run)
    kept = {
        key: value for key, value in asdict(record).items() if key not in ("path", "checkpoints", "losses", "seconds")
    }
    tables.write_json(
        {
            "run": params.run,
            "quadrant": about.quadrant,
            "format": about.format,
            "epochs": training.epochs,
            "seconds": round(record.seconds, 3),
            "losses": [round(loss, 6) for loss in record.losses],
            "probe_shift": shift,
            **kept,
        },
        outputs["record"],
    )
