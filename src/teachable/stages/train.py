"""Train the LoRA adapter of one run, and make sure that it changes what the student does.

A run without anything to learn from (its quadrant has no training snapshot) cannot be: the adapter's directory then
holds nothing but ``absent.json``, which says why, and everything behind it goes on without the run.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.fitting import fit
from teachable.stages.models import ABSENT, load_student

if TYPE_CHECKING:
    from teachable.stages.params import Train
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Train) -> None:
    record = fit(
        partial(load_student, inputs["student"][0]),
        params.run,
        tables.read(inputs["examples"][0], tables.EXAMPLES),
        tables.read(inputs["replay"][0], tables.EXAMPLES),
        params.training,
        params.lora,
        out=outputs["adapter"],
        run_seed=params.seed,
        train_seed=params.train_seed,
    )
    if "absent" in record:
        print(f"{params.run}: not trained: {record['absent']}", flush=True)
        outputs["adapter"].mkdir(parents=True)
        tables.write_json({"reason": record["absent"]}, outputs["adapter"] / ABSENT)
    tables.write_json(record, outputs["record"])
