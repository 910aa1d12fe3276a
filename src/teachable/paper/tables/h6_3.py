"""Table H6.3: drift of the predictor's features beside drift of teachability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, frame

ABOUT = {
    "hypothesis": "H6",
    "title": "What the predictor meets after training",
    "caption": (
        "Features in the failures of a trained run against those of the base student's, on the same held-out games. "
        "Shifted: features whose Kolmogorov-Smirnov distance is certain (games swapped whole; false discovery rate 5 % "
        "over all features of a run). Of the feature with the largest distance of each kind: distance, and population "
        "stability index with the value that it exceeds by chance in one of twenty. Last, of the same run: how the "
        "measured ELP_net of the drift panel ranks beside the base student's."
    ),
    "inputs": ("feature_drift", "drift_metrics"),
    "printed": {"wide": True},
}

HEADINGS = {
    "run": "Run",
    "kind": "Features",
    "features": "Varying",
    "shifted": "Shifted",
    "largest": "Largest shift",
    "distance": "KS distance",
    "q_value": "q (games)",
    "stability": "Stability index",
    "chance": "by chance",
    "spearman": "ELP_net, Spearman with base",
    "n": "n (base, run)",
    "games": "Games",
}
SCHEMA: Mapping[str, Any] = {
    **dict.fromkeys(("run", "model", "kind", "largest", "n"), pl.String),
    **dict.fromkeys(("features", "shifted", "games"), pl.Int64),
    **dict.fromkeys(("distance", "q_value", "stability", "stability_low", "stability_high", "chance"), pl.Float64),
    **dict.fromkeys(("spearman", "spearman_low", "spearman_high"), pl.Float64),
}
CERTAIN = 0.05
TEACHABILITY = "teachability"


def make(data: Data) -> pl.DataFrame:
    """One row a run and kind of feature, largest distance first, and one a run for teachability."""
    columns = ("distance", "q_value_games", "point", "low", "high", "chance", "n_base", "n_model", "clusters")
    rows = frame(data, "feature_drift", "model", "feature", *columns)
    moved = frame(data, "drift_metrics", "model", "group", "metric", "point", "low", "high", "n", "clusters")
    made: list[dict[str, Any]] = []
    for run in sorted(set(rows["model"])):
        own = rows.filter(model=run).with_columns(kind=pl.col("feature").str.split(".").list.first())
        groups = [_group(run, part) for part in own.partition_by("kind", maintain_order=True)]
        made += sorted(groups, key=lambda row: (-row["distance"], row["kind"]))
        for row in moved.filter(model=f"{run}@last", group="all", metric="spearman_base").iter_rows(named=True):
            found = {"spearman": row["point"], "spearman_low": row["low"], "spearman_high": row["high"]}
            named = {"run": style.name(run), "model": run, "kind": TEACHABILITY}
            made.append({**named, **found, "n": str(row["n"]), "games": row["clusters"]})
    return pl.DataFrame(made, schema=SCHEMA)


def _group(run: str, part: pl.DataFrame) -> dict[str, Any]:
    top = part.sort(-pl.col("distance"), "feature").row(0, named=True)
    return {
        "run": style.name(run),
        "model": run,
        "kind": top["kind"],
        "features": part.height,
        "shifted": part.filter(pl.col("q_value_games") <= CERTAIN).height,
        "largest": top["feature"].split(".", 1)[1],
        "distance": top["distance"],
        "q_value": top["q_value_games"],
        "stability": top["point"],
        "stability_low": top["low"],
        "stability_high": top["high"],
        "chance": top["chance"],
        "n": f"{top['n_base']}, {top['n_model']}",
        "games": top["clusters"],
    }
