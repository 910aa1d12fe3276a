"""Relate the patch test to micro-training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.training.correlation import cpt_correlation

if TYPE_CHECKING:
    from teachable.stages.params import CptCorrelation
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: CptCorrelation) -> None:
    report = cpt_correlation(
        tables.read(inputs["microtraining"][0], tables.MICROTRAINING),
        tables.read(inputs["labeled"][0], tables.LABELED),
        params.statistics,
        seed=params.seed,
    )
    report["setting"] = params.microtraining.model_dump(exclude={"shard_size"})
    tables.write_json(report, outputs["correlation"])
