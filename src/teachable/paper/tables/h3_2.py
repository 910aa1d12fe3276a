"""Table H3.2: budget parity."""

from __future__ import annotations

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, frame, ordered
from teachable.terms import RUNS

ABOUT = {
    "hypothesis": "H3",
    "title": "Budget parity",
    "caption": "Examples and tokens of every run, and the difference to the target number of examples.",
    "inputs": ("budget",),
    "printed": {"wide": True},
}

HEADINGS = {
    "model": "Run",
    "format": "Format",
    "examples": "Examples",
    "target_examples": "Target",
    "difference": "Difference",
    "repeated": "Copies",
    "tokens": "Tokens",
    "completion_tokens": "of completions",
}
COUNTS = ("examples", "target_examples", "difference", "repeated", "tokens", "completion_tokens")


def make(data: Data) -> pl.DataFrame:
    rows = frame(data, "budget", "run", "quadrant", "format", *COUNTS)
    # A run over several quadrants has a row for each; the target is that of the run where every row repeats it.
    sums = rows.group_by("run").agg(
        pl.col("format").unique().sort().str.join(", "),
        pl.col("examples", "repeated", "tokens", "completion_tokens").sum(),
        pl.when(pl.col("target_examples").n_unique() == 1)
        .then(pl.col("target_examples").first())
        .otherwise(pl.col("target_examples").sum())
        .alias("target_examples"),
    )
    order = {run: at for at, run in enumerate(ordered(sums["run"], (*RUNS, "recovery")))}
    sums = sums.with_columns(difference=pl.col("examples") - pl.col("target_examples"))
    named = sums.with_columns(model=pl.col("run").map_elements(style.name, return_dtype=pl.String))
    return named.sort(pl.col("run").replace_strict(order)).select("run", "model", "format", *COUNTS)
