"""Success, stuckness, paired contrasts with the base student, and transfer between quadrants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import summarise

if TYPE_CHECKING:
    from teachable.stages.params import Summarise
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Summarise) -> None:
    summary = summarise(
        pl.concat([tables.read(path, tables.EPISODES) for path in inputs["episodes"]]),
        tables.read(inputs["labeled"][0], tables.LABELED),
        Resampling(**params.statistics.model_dump()),
        seed=params.seed,
    )
    tables.write(summary.metrics, outputs["metrics"], tables.METRICS)
    tables.write(summary.contrasts, outputs["contrasts"], tables.CONTRASTS)
    if "transfer" in outputs:
        tables.write(summary.transfer, outputs["transfer"], tables.TRANSFER)
