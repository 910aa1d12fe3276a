"""Fit the teachability predictor and its rivals, held out by game, and judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.predictor.errors import TooFew
from teachable.predictor.learners import Settings
from teachable.predictor.metrics import Bootstrap
from teachable.predictor.sets import from_table
from teachable.predictor.study import Study, run_study

if TYPE_CHECKING:
    from teachable.stages.params import Predict
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Predict) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED).filter(pl.col("quadrant").is_not_null())
    panels = tables.read(inputs["panels"][0], tables.PANELS)
    features = tables.read(inputs["features"][0], tables.FEATURES)
    try:
        study = _study(features, labeled, panels, params)
    except TooFew as reason:
        print(f"no predictor: {reason}", flush=True)
        study = Study.empty()
    tables.write(study.predictions, outputs["predictions"], tables.PREDICTIONS)
    tables.write(study.metrics, outputs["metrics"], tables.PREDICTOR_METRICS)
    tables.write(study.calibration, outputs["calibration"], tables.CALIBRATION)
    tables.write(study.importance, outputs["importance"], tables.IMPORTANCE)
    tables.write(study.confusion, outputs["confusion"], tables.CONFUSION)
    tables.write(study.cost, outputs["cost"], tables.COST)


def _study(features: pl.DataFrame, labeled: pl.DataFrame, panels: pl.DataFrame, params: Predict) -> Study:
    if labeled.is_empty():
        raise TooFew("no snapshot is labelled.")
    return run_study(
        from_table(features),
        labeled,
        ks=params.predictor.k,
        shares=params.predictor.sample_sizes,
        bootstrap=Bootstrap(seed=params.seed, **params.statistics.model_dump()),
        seed=params.seed,
        settings=Settings(folds=params.predictor.folds, trees=params.predictor.trees),
        held_out=set(panels.filter(pl.col("side") == "held_out")["task_id"]),
        progress=lambda line: print(line, flush=True),
    )
