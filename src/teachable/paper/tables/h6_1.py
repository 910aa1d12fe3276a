"""Table H6.1: held-out quality of the predictor and its rivals."""

from __future__ import annotations

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, Interval, Undefined, frame, ordered, where

ABOUT = {
    "hypothesis": "H6",
    "title": "Predictor",
    "caption": "Held-out quality of the teachability predictor and its rivals, split by game, with 95 % intervals.",
    "inputs": ("predictor_metrics",),
    "printed": {
        "columns": ("metric", "name", "value"),
        "rows": {"target": ("ELP_net",), "metric": ("NDCG@*", "spearman")},
        "note": "Shown is how ELP_net is ranked.",
    },
}

HEADINGS = {
    "target": "Target",
    "metric": "Metric",
    "name": "Method",
    "value": "Value",
    "n": "n",
    "games": "Games",
}
TARGETS = ("ELP_net", "route", "L_local", "L_upper", "U", "d_expert", "d_force", "quadrant")
METRICS = (
    "ndcg",
    "ndcg_difference",
    "precision",
    "precision_difference",
    "spearman",
    "r2",
    "mae",
    "accuracy",
    "macro_f1",
    "ece",
)
NAMES = {
    "ndcg": "NDCG",
    "r2": "R\N{SUPERSCRIPT TWO}",
    "mae": "MAE",
    "macro_f1": "macro-F1",
    "ece": "calibration error",
}


def make(data: Data) -> pl.DataFrame:
    rows = frame(data, "predictor_metrics", "method", "target", "metric", "k", "train_size", "point").drop_nulls(
        "point"
    )
    if rows.is_empty():
        raise Undefined(f"The input {where('predictor_metrics')} has no estimate: every point is null.")
    ks = rows.drop_nulls("k")["k"]
    middle = sorted(ks.unique())[len(ks.unique()) // 2] if len(ks) else None
    # The largest training size is the full one; smaller ones belong to the sample-efficiency figure.
    rows = rows.filter(pl.col("k").is_null() | (pl.col("k") == middle)).sort("train_size", nulls_last=False)
    rows = rows.unique(["method", "target", "metric"], keep="last", maintain_order=True)
    order = {target: at for at, target in enumerate(ordered(rows["target"], TARGETS))}
    made = []
    for row in rows.iter_rows(named=True):
        value = Interval.of(row)
        metric = str(row["metric"])
        base = metric.removesuffix("_untied").removesuffix("_difference")
        text = NAMES.get(base, base) + (f"@{row['k']}" if row["k"] is not None else "")
        text += (
            ", difference"
            if metric.endswith("_difference")
            else ", ties left out"
            if metric.endswith("_untied")
            else ""
        )
        made.append(
            {
                "target": row["target"],
                "metric": text,
                "method": row["method"],
                "name": _name(row["method"]),
                "k": row["k"],
                "train_size": row["train_size"],
                "value": value.point,
                "value_low": value.low,
                "value_high": value.high,
                "n": value.n,
                "games": value.clusters,
                "_order": (order[row["target"]] * 100 + _place(metric)) * 100 + _rank(row["method"]),
            }
        )
    return pl.DataFrame(made, infer_schema_length=None).sort("_order", "method").drop("_order")


def _name(method: str) -> str:
    return " minus ".join(style.name(part) for part in method.split(" - "))


def _place(metric: str) -> int:
    return METRICS.index(metric) if metric in METRICS else len(METRICS)


def _rank(method: str) -> int:
    first = method.split(" - ")[-1]
    return style.METHODS.index(first) if first in style.METHODS else len(style.METHODS)
