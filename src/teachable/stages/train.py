"""Train the LoRA adapter of one run, and make sure that it changes what the student does.

A run without anything to learn from (its quadrant has no training snapshot) cannot be: the adapter's directory then
holds nothing but ``absent.json``, which says why, and everything behind it goes on without the run. A run by direct
preference optimisation also reads the labelled snapshots, for what the student did there, and has a ``beta``.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.fitting import fit
from teachable.pipeline.models import ABSENT, load_student
from teachable.student.monitoring import tensorboard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import polars as pl

    from teachable.config import model as c

BOARD = "TEACHABLE_TENSORBOARD"  # where event files go; monitoring.tensorboard sets it, and it is in no key

ABOUT = {
    "about": "train one LoRA adapter",
    "inputs": "examples replay student labeled?",
    "outputs": {
        "adapter": ("{phase}/adapters/{model}",),
        "record": ("{phase}/records/{model}.json", "TRAINING_RECORD"),
    },
    "params": "seed lora training",
    "own": {"run": "str", "train_seed": "int", "beta": "float?"},
    "student": True,
}


def run(
    examples: pl.DataFrame,
    replay: pl.DataFrame,
    student: Path,
    labeled: pl.DataFrame | None,
    out: Mapping[str, Path],
    seed: int,
    lora: c.Lora,
    training: c.Training,
    run: str,
    train_seed: int,
    beta: float | None,
) -> dict[str, Any]:
    board = os.environ.get(BOARD)
    with tensorboard(Path(board, run, str(train_seed))) if board else nullcontext() as watch:
        record = fit(
            partial(load_student, student),
            run,
            examples,
            replay,
            training,
            lora,
            out=out["adapter"],
            run_seed=seed,
            train_seed=train_seed,
            labeled=labeled,
            beta=beta,
            watch=watch,
        )
    if "absent" in record:
        print(f"{run}: not trained: {record['absent']}", flush=True)
        out["adapter"].mkdir(parents=True)
        tables.write_json({"reason": record["absent"]}, out["adapter"] / ABSENT)
    return record
