"""Table H1.2: correlations of the labels."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, Interval, Undefined, select, where
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H1",
    "title": "Correlations of the labels",
    "caption": (
        "Spearman correlations between uncertainty, leverage and teachability, with 95 % intervals clustered by game."
    ),
    "inputs": ("label_metrics",),
    "printed": {"wide": True},
}

HEADINGS = {
    "pair": "Spearman correlation of",
    "all": "All",
    **{q: q for q in QUADRANTS},
    "n": "n",
    "games": "Games",
}


def make(data: Data) -> pl.DataFrame:
    rows = (
        select(data, "label_metrics", panel="labeled")
        .filter(pl.col("metric").str.starts_with("spearman:"))
        .drop_nulls("point")
    )
    if rows.is_empty():
        raise Undefined(f"The input {where('label_metrics')} has no metric spearman:<x>:<y>.")
    found = {(row["metric"], row["group"]): Interval.of(row) for row in rows.iter_rows(named=True)}
    made = []
    for metric in dict.fromkeys(rows["metric"]):
        _, x, y = metric.split(":")
        line: dict[str, object] = {"pair": f"{x} and {y}".replace("_", " ")}
        for group in ("all", *QUADRANTS):
            value = found.get((metric, group))
            line |= {
                group: value and value.point,
                f"{group}_low": value and value.low,
                f"{group}_high": value and value.high,
            }
        whole = found.get((metric, "all"))
        made.append(line | {"n": whole and whole.n, "games": whole and whole.clusters})
    return pl.DataFrame(made, infer_schema_length=None)
