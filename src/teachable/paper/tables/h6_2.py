"""Table H6.2: what ranking the pool costs."""

from __future__ import annotations

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, frame, ordered

ABOUT = {
    "hypothesis": "H6",
    "title": "Cost of a label",
    "caption": "What ranking one snapshot of the pool costs by each method, beside the quality it buys.",
    "inputs": ("cost",),
    "printed": {"columns": ("name", "student_passes", "rollouts", "teacher_calls", "ndcg")},
}

HEADINGS = {
    "name": "Method",
    "student_passes": "Student passes",
    "rollouts": "Episodes",
    "teacher_calls": "Teacher calls",
    "labelled_once": "Labelled once",
    "ndcg": "NDCG@k",
    "k": "k",
}
COUNTS = ("student_passes", "rollouts", "teacher_calls", "labelled_once", "k")


def make(data: Data) -> pl.DataFrame:
    rows = frame(data, "cost", "method", *COUNTS, "point", "low", "high", "n", "clusters")
    order = {
        method: at
        for at, method in enumerate(ordered(rows["method"], ("random", "entropy", "tier1", "tier2", "predictor")))
    }
    return rows.sort(pl.col("method").replace_strict(order)).select(
        "method",
        pl.col("method").map_elements(style.name, return_dtype=pl.String).alias("name"),
        *COUNTS,
        ndcg="point",
        ndcg_low="low",
        ndcg_high="high",
        n="n",
        games="clusters",
    )
