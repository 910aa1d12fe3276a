"""Means, shares and correlations of the labels, with intervals clustered by game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.paper.label_metrics import label_metrics

if TYPE_CHECKING:
    from teachable.stages.params import Summarise
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Summarise) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    metrics = label_metrics(
        labeled, seed=params.seed, repetitions=params.statistics.repetitions, level=params.statistics.level
    )
    tables.write(metrics, outputs["metrics"], tables.METRICS)
