"""First actions, probability shifts and linear probes, by quadrant, ELP bin and route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.evaluation.mechanistic import mechanistic
from teachable.evaluation.resampling import Resampling

if TYPE_CHECKING:
    from teachable.stages.params import Summarise
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Summarise) -> None:
    table = mechanistic(
        pl.concat([tables.read(path, tables.PROBES) for path in inputs["probes"]]),
        pl.concat([tables.read(path, tables.EPISODES) for path in inputs["episodes"]]),
        tables.read(inputs["labeled"][0], tables.LABELED),
        Resampling(**params.statistics.model_dump()),
        seed=params.seed,
    )
    tables.write(table, outputs["mechanistic"], tables.MECHANISTIC)
