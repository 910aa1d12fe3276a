"""The summary table: every criterion."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, PaperError, record, where

ABOUT = {
    "hypothesis": "summary",
    "title": "Criteria",
    "caption": "Every criterion of the protocol with its estimate, 95 % interval and threshold.",
    "inputs": ("criteria",),
    "printed": {
        "wide": True,
        "rows": {"hypothesis": ("H?",)},
        "note": "Shown are those of the hypotheses; how sound the run was is judged before them.",
    },
}

HEADINGS = {
    "hypothesis": "",
    "name": "Criterion",
    "value": "Estimate",
    "threshold": "Threshold",
    "verdict": "Met",
}


def make(data: Data) -> pl.DataFrame:
    entries = record(data, "criteria")
    if not isinstance(entries, list) or not entries:
        raise PaperError(f"The input {where('criteria')} has no criterion.")
    verdict = {True: "yes", False: "no", None: "not measurable"}
    made = [
        {
            "id": entry["id"],
            "hypothesis": entry["hypothesis"],
            "name": entry["name"],
            "value": entry["value"],
            "value_low": entry["low"],
            "value_high": entry["high"],
            "threshold": entry["threshold"],
            "verdict": verdict[entry["passed"]],
        }
        for entry in entries
    ]
    schema = {
        "id": pl.String,
        "hypothesis": pl.String,
        "name": pl.String,
        "value": pl.Float64,
        "value_low": pl.Float64,
        "value_high": pl.Float64,
        "threshold": pl.String,
        "verdict": pl.String,
    }
    return pl.DataFrame(made, schema=schema)
