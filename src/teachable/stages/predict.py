"""Fit the teachability predictor and its rivals, held out by game, and judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.predictor.errors import TooFew
from teachable.predictor.kept import to_bytes
from teachable.predictor.learners import Settings
from teachable.predictor.metrics import Bootstrap
from teachable.predictor.sets import from_table
from teachable.predictor.study import Study, run_study

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from teachable.config import model as c

ABOUT = {
    "about": "fit the teachability predictor and its rivals, held out by game",
    "inputs": "features labeled panels student",
    "outputs": {
        "predictions": ("phase4/predictions.parquet", "PREDICTIONS", "held-out predictions"),
        "predictor_metrics": (
            "phase4/metrics.parquet",
            "PREDICTOR_METRICS",
            "method predictor | tier1 | tier2 | random | entropy | L_local | UxL | oracle_features; metric ndcg | "
            "precision (k), spearman, r2, mae, macro_f1, accuracy, ece; paired differences as method 'predictor - "
            "entropy', metric ndcg_difference; smaller train_size for sample efficiency",
        ),
        "calibration": ("phase4/calibration.parquet", "CALIBRATION", "one row a method, target and bin"),
        "importance": ("phase4/importance.parquet", "IMPORTANCE", "one row a target, metric and group of features"),
        "confusion": ("phase4/confusion.parquet", "CONFUSION", "one row a cell"),
        "cost": ("phase4/cost.parquet", "COST", "one row a method"),
        "predictor_model": (
            "phase4/predictor.safetensors",
            None,
            "the predictor learned from the training side's games, for `teachable rank`; or why there is none",
        ),
    },
    "params": "seed predictor statistics topk=labels.topk uncertainty=labels.uncertainty world_name=world.name",
}


def run(
    features: pl.DataFrame,
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    student: Path,
    predictor: c.Predictor,
    statistics: c.Statistics,
    seed: int,
    topk: int,
    uncertainty: str,
    world_name: str,
    out: dict[str, Path],
) -> dict[str, Any]:
    labeled = labeled.filter(pl.col("quadrant").is_not_null())
    try:
        if labeled.is_empty():
            raise TooFew("no snapshot is labelled.")
        study = run_study(
            from_table(features),
            labeled,
            ks=predictor.k,
            shares=predictor.sample_sizes,
            bootstrap=Bootstrap(seed=seed, **statistics.model_dump()),
            seed=seed,
            settings=Settings(folds=predictor.folds, trees=predictor.trees),
            held_out=set(panels.filter(pl.col("side") == "held_out")["task_id"]),
            given={
                "world": world_name,
                "student": tables.read_json(student / "settings.json")["fingerprint"],
                "topk": topk,
                "uncertainty": uncertainty,
            },
            progress=lambda line: print(line, flush=True),
        )
    except TooFew as reason:
        print(f"no predictor: {reason}", flush=True)
        study = Study.empty(str(reason))
    if isinstance(study.kept, str):
        print(f"no predictor is kept: {study.kept}", flush=True)
    out["predictor_model"].write_bytes(to_bytes(study.kept))
    names = ("predictions", "calibration", "importance", "confusion", "cost")
    return {"predictor_metrics": study.metrics, **{name: getattr(study, name) for name in names}}
