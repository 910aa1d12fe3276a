"""Table H2.1: correlations of the patch test with micro-training."""

from __future__ import annotations

from typing import Any

import polars as pl

from teachable.paper.inputs import Data, Interval, record
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H2",
    "title": "Patch test and micro-training",
    "caption": (
        "Correlation of ELP_net with the change in success after micro-training, beside that of local "
        "leverage, with 95 % intervals clustered by game."
    ),
    "inputs": ("cpt_correlation",),
    "minimum": True,
}

HEADINGS = {"group": "Snapshots", "measure": "Measure", "value": "Value", "n": "n", "games": "Games"}
OVERALL = {
    "spearman": "Spearman, ELP net and effect",
    "pearson": "Pearson, ELP net and effect",
    "spearman_L_local": "Spearman, local leverage and effect",
    "partial_spearman_ELP_given_L": "Spearman, ELP net and effect, leverage held fixed",
}
BY_QUADRANT = ("spearman", "pearson")


def make(data: Data) -> pl.DataFrame:
    made = [_row("all", text, record(data, "cpt_correlation", "overall", key)) for key, text in OVERALL.items()]
    per = record(data, "cpt_correlation", "per_quadrant")
    for quadrant in QUADRANTS:
        for key in BY_QUADRANT:
            if (per.get(quadrant) or {}).get(key):
                made.append(_row(quadrant, OVERALL[key], per[quadrant][key]))
    return pl.DataFrame(
        made,
        schema_overrides=dict.fromkeys(("value", "value_low", "value_high"), pl.Float64),
        infer_schema_length=None,
    )


def _row(group: str, text: str, stored: dict[str, Any]) -> dict[str, object]:
    value = Interval.maybe(stored)  # None where it is not defined; how little there was is stored still
    return {
        "group": group,
        "measure": text,
        "value": value and value.point,
        "value_low": value and value.low,
        "value_high": value and value.high,
        "n": stored.get("n"),
        "games": stored.get("clusters"),
    }
