"""Choose a fixed budget of training snapshots by one method."""

from __future__ import annotations

import polars as pl

from teachable.predictor.sets import from_table
from teachable.selection.select import select

ABOUT = {
    "about": "choose a fixed budget of snapshots",
    "inputs": "predictions features labeled expert panels",
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
    seed: int,
    k: int,
    method: str,
    draws: int,
) -> pl.DataFrame:
    """``draws``: how often the random choice is made, once for every training."""
    train = panels.filter(pl.col("panel") == "train")["snapshot_id"]
    games = panels.filter(pl.col("side") == "train")["task_id"]
    own = labeled.filter(pl.col("snapshot_id").is_in(train.implode()))
    pool = pl.concat([own, expert.filter(pl.col("task_id").is_in(games.implode()))])
    selection = select(
        method,
        pool.filter(pl.col("advice_valid") & ~pl.col("unwinnable").fill_null(False)),
        k,
        seed=seed,
        draws=draws,
        predictions=predictions,
        features=None if features.is_empty() else from_table(features),
    )
    if selection.shortfall:
        print(f"{method}: {selection.shortfall} fewer than {k}: {selection.reason}", flush=True)
    return selection.frame
