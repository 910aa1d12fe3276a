"""Uncertainty, leverage, patch test, recovery depth and quadrants of every snapshot.

The student's own failures and those of the expert (setup B) go into tables of their own, so that nothing behind this
stage can count one among the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.labels.label import label

if TYPE_CHECKING:
    from teachable.stages.params import Label
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Label) -> None:
    labeled, thresholds = label(
        tables.read(inputs["snapshots"][0], tables.SNAPSHOTS),
        tables.read(inputs["advice"][0], tables.ADVICE),
        tables.read(inputs["estimates"][0], tables.ESTIMATES),
        params.labels,
    )
    expert = pl.col("source") == "expert"
    tables.write(labeled.filter(~expert), outputs["labeled"], tables.LABELED)
    tables.write(labeled.filter(expert), outputs["expert"], tables.LABELED)
    tables.write_json(thresholds, outputs["thresholds"])
