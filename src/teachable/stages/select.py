"""Choose a fixed budget of training snapshots by one method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.predictor.sets import from_table
from teachable.selection.select import select

if TYPE_CHECKING:
    from teachable.stages.params import Select
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Select) -> None:
    panels = tables.read(inputs["panels"][0], tables.PANELS)
    train = panels.filter(pl.col("panel") == "train")["snapshot_id"]
    games = panels.filter(pl.col("side") == "train")["task_id"]
    own = tables.read(inputs["labeled"][0], tables.LABELED).filter(pl.col("snapshot_id").is_in(train.implode()))
    expert = tables.read(inputs["expert"][0], tables.LABELED).filter(pl.col("task_id").is_in(games.implode()))
    features = tables.read(inputs["features"][0], tables.FEATURES)
    selection = select(
        params.method,
        pl.concat([own, expert]).filter(pl.col("advice_valid") & ~pl.col("unwinnable").fill_null(False)),
        params.k,
        seed=params.seed,
        draws=params.draws,
        predictions=tables.read(inputs["predictions"][0], tables.PREDICTIONS),
        features=None if features.is_empty() else from_table(features),
    )
    if selection.shortfall:
        print(f"{params.method}: {selection.shortfall} fewer than {params.k}: {selection.reason}", flush=True)
    tables.write(selection.frame, outputs["selection"], tables.SELECTION)
