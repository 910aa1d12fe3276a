"""Choose a fixed budget of training snapshots by one method."""

from __future__ import annotations

import polars as pl

from teachable.predictor.sets import from_table
from teachable.selection.pool import training_side
from teachable.selection.select import select

ABOUT = {
    "about": "choose a fixed budget of snapshots",
    "inputs": "predictions features labeled expert panels gradients?",
    "outputs": {"selection": ("phase5/sets/{run}.parquet", "SELECTION", "one row a run and chosen snapshot")},
    "params": "seed",
    "own": {"k": "int", "method": "str", "draws": "int"},
    "follows": "teachable.selection.methods.{method}",
}


def run(
    predictions: pl.DataFrame,
    features: pl.DataFrame,
    labeled: pl.DataFrame,
    expert: pl.DataFrame,
    panels: pl.DataFrame,
    gradients: pl.DataFrame | None,
    seed: int,
    k: int,
    method: str,
    draws: int,
) -> pl.DataFrame:
    """``draws``: how often the random choice is made, once for every training; ``gradients``: for the methods that need
    them only."""
    selection = select(
        method,
        training_side(labeled, panels, expert),
        k,
        seed=seed,
        draws=draws,
        predictions=predictions,
        features=None if features.is_empty() else from_table(features),
        gradients=gradients,
    )
    if selection.shortfall:
        print(f"{method}: {selection.shortfall} fewer than {k}: {selection.reason}", flush=True)
    return selection.frame
