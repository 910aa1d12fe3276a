"""Uncertainty, leverage, patch test, recovery depth and quadrants of every snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.labels.label import LabelSettings, label

if TYPE_CHECKING:
    from teachable.stages.params import Label
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Label) -> None:
    labeled, thresholds = label(
        tables.read(inputs["snapshots"][0], tables.SNAPSHOTS),
        tables.read(inputs["advice"][0], tables.ADVICE),
        tables.read(inputs["estimates"][0], tables.ESTIMATES),
        LabelSettings(**params.labels.model_dump()),
    )
    tables.write(labeled, outputs["labeled"], tables.LABELED)
    tables.write_json(thresholds, outputs["thresholds"])
