"""Table H4.2: diagonal minus off-diagonal of the transfer matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from teachable.paper.figures.h4_2 import DIAGONAL, NAMES, PERMUTED
from teachable.paper.inputs import Data, select

ABOUT = {
    "hypothesis": "H4",
    "title": "Diagonal minus off-diagonal",
    "caption": (
        "Paired difference between matched and mismatched training, over the mean of formats and for each "
        "format; beside the first its mean and 95 % range when quadrant labels are permuted over the same "
        "held-out snapshots, with the p-value of that test (the trained models stay as they are)."
    ),
    "inputs": ("contrasts",),
    "printed": {"wide": True, "columns": ("formats", "difference", "p_*", "null", "mde", "n", "games")},
}

HEADINGS = {
    "formats": "Formats",
    "difference": "Diagonal minus off",
    "p_value": "p",
    "p_holm": "p (Holm)",
    "null": "Under permuted labels",
    "p_value_permuted": "p (permuted)",
    "mde": "Detectable at 80 % power",
    "n": "n",
    "games": "Games",
    "prespecified": "Prespecified",
    "missing": "Missing",
}


def make(data: Data) -> pl.DataFrame:
    """A row for the mean of formats and for each; where a quadrant is missing also one of those there are."""
    rows = select(data, "contrasts", panel="failure", group="all", metric="success")
    stored = {row["contrast"]: row for row in rows.iter_rows(named=True)}
    null = stored.get(PERMUTED)
    made = []
    for name, title in NAMES.items():
        formats = "mean of formats" if name == DIAGONAL else title
        if name in stored:
            made.append({"formats": formats} | _columns(stored[name], null if name == DIAGONAL else None))
        for partial in sorted(key for key in stored if key.startswith(f"{name}_of_")):
            quadrants = partial.removeprefix(f"{name}_of_").replace("_", ", ")
            made.append({"formats": f"{formats}, of {quadrants}"} | _columns(stored[partial], None))
    schema = {"formats": pl.String, "missing": pl.String, "prespecified": pl.Boolean, "n": pl.Int64, "games": pl.Int64}
    return pl.DataFrame(made, schema_overrides=schema, infer_schema_length=None)


def _columns(row: Mapping[str, Any], null: Mapping[str, Any] | None) -> dict[str, Any]:
    known = row["point"] is not None
    return {
        "difference": row["point"],
        "difference_low": row["low"],
        "difference_high": row["high"],
        "p_value": row["p_value"],
        "p_holm": row["p_holm"],
        # The mean and range of the statistic when quadrant labels are permuted, and its p-value.
        **{column: null and null[end] for column, end in _NULL.items()},
        "mde": row["mde"],
        "n": row["n"],
        "games": row["clusters"],
        "prespecified": row["prespecified"],
        "missing": None if known else str(row["method"]).removeprefix("undefined: "),
    }


_NULL = {"null": "point", "null_low": "low", "null_high": "high", "p_value_permuted": "p_value"}
