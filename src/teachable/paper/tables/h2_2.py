"""Table H2.2: placebo checks."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, Interval, intervals, record
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H2",
    "title": "Placebo checks",
    "caption": (
        "Mean gain of the content-free patch and of each format over the unpatched context and over the "
        "placebo, with 95 % intervals clustered by game."
    ),
    "inputs": ("label_metrics", "cpt_correlation"),
    "printed": {"wide": True, "columns": ("group", "placebo_gain", "net_*", "n", "games")},
}

HEADINGS = {
    "group": "Snapshots",
    "placebo_gain": "Placebo over none",
    **{f"raw_{kind}": f"{kind.capitalize()} over none" for kind in FORMATS},
    **{f"net_{kind}": f"{kind.capitalize()} over placebo" for kind in FORMATS},
    "n": "n",
    "games": "Games",
}
METRICS = ("placebo_gain", *(f"raw_{kind}" for kind in FORMATS), *(f"net_{kind}" for kind in FORMATS))
NAMES = {"winnable": "expert can win"}


def make(data: Data) -> pl.DataFrame:
    found = intervals(data, "label_metrics", ("group", "metric"), panel="labeled", metric=list(METRICS))
    made = []
    for group in ("all", "winnable", *QUADRANTS):
        values = {metric: found.get((group, metric)) for metric in METRICS}
        if any(values.values()):
            made.append(_row(NAMES.get(group, group), values))
    everywhere = Interval.maybe(record(data, "cpt_correlation", "mean_placebo_gain"))
    if everywhere:
        made.append(_row("all, with phase 1b", {"placebo_gain": everywhere}))
    return pl.DataFrame(made, infer_schema_length=None)


def _row(name: str, values: dict[str, Interval | None]) -> dict[str, object]:
    line: dict[str, object] = {"group": name}
    for metric in METRICS:
        value = values.get(metric)
        line |= {
            metric: value and value.point,
            f"{metric}_low": value and value.low,
            f"{metric}_high": value and value.high,
        }
    first = next(value for value in values.values() if value)
    return line | {"n": first.n, "games": first.clusters}
