"""Table H1.3: the labels by distance to the deciding decision."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, Undefined, intervals, where

ABOUT = {
    "hypothesis": "H1",
    "title": "Labels by distance",
    "caption": (
        "Uncertainty, leverage and teachability of failure snapshots by their distance to the deciding "
        "decision, and how often the student's likeliest command is what the teacher suggests, with 95 % "
        "intervals clustered by game."
    ),
    "inputs": ("label_metrics",),
    "printed": {
        "wide": True,
        "columns": ("distance", "snapshots", "games", "U", "L_local", "ELP_net_debiased", "already_right"),
    },
}

METRICS = ("U", "L_local", "ELP_net", "ELP_net_debiased", "already_right")
PREFIX = "distance="
HEADINGS = {
    "distance": "Distance",
    "snapshots": "Snapshots",
    "games": "Games",
    "U": "U (nats)",
    "L_local": "L local",
    "ELP_net": "ELP net",
    "ELP_net_debiased": "ELP net, bias-corrected",
    "already_right": "Already right",
}


def make(data: Data) -> pl.DataFrame:
    found = intervals(data, "label_metrics", ("group", "metric"), panel="labeled", metric=list(METRICS))
    groups = sorted({group for group, _ in found if group.startswith(PREFIX)}, key=lambda g: int(g[len(PREFIX) :]))
    if not groups:
        raise Undefined(f"The input {where('label_metrics')} has no group {PREFIX}<n>.")
    made = []
    for group in groups:
        size = found[group, "U"]
        line: dict[str, object] = {
            "distance": int(group[len(PREFIX) :]),
            "snapshots": size.n,
            "games": size.clusters,
        }
        for metric in METRICS:
            value = found.get((group, metric))
            line |= {
                metric: value and value.point,
                f"{metric}_low": value and value.low,
                f"{metric}_high": value and value.high,
            }
        made.append(line)
    return pl.DataFrame(made, infer_schema_length=None)
