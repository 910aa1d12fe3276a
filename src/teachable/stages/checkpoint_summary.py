"""What checkpoints of a run keep: retention, and the patch test of the base student."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import metrics_of
from teachable.paper.drift_metrics import drift_metrics

if TYPE_CHECKING:
    from teachable.stages.params import Summarise
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Summarise) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    base = tables.read(inputs["base"][0], tables.EPISODES).filter(pl.col("panel") == "retention")
    episodes = pl.concat([base, *(tables.read(path, tables.EPISODES) for path in inputs["episodes"])])
    settings = Resampling(**params.statistics.model_dump())
    tables.write(metrics_of(episodes, labeled, settings, seed=params.seed), outputs["metrics"], tables.METRICS)
    drifted = drift_metrics(
        tables.read(inputs["drift"][0], tables.DRIFT),
        labeled,
        seed=params.seed,
        **params.statistics.model_dump(),
    )
    tables.write(drifted, outputs["drift_metrics"], tables.METRICS)
