"""Table H4.2: diagonal minus off-diagonal of the transfer matrix."""

from __future__ import annotations

import polars as pl

from teachable.paper.figures.h4_2 import DIAGONAL, NAMES
from teachable.paper.inputs import Data, Interval, select

HEADINGS = {
    "formats": "Formats",
    "difference": "Diagonal minus off",
    "p_value": "p",
    "p_holm": "p (Holm)",
    "mde": "Detectable at 80 % power",
    "n": "n",
    "games": "Games",
    "prespecified": "Prespecified",
}


def make(data: Data) -> pl.DataFrame:
    rows = select(data, "contrasts", contrast=list(NAMES), group="all", metric="success").drop_nulls("point")
    stored = {row["contrast"]: row for row in rows.iter_rows(named=True)}
    made = []
    for name in (name for name in NAMES if name in stored):
        row, value = stored[name], Interval.of(stored[name])
        made.append(
            {
                "formats": "mean of formats" if name == DIAGONAL else NAMES[name],
                "difference": value.point,
                "difference_low": value.low,
                "difference_high": value.high,
                "p_value": row["p_value"],
                "p_holm": row["p_holm"],
                "mde": row["mde"],
                "n": value.n,
                "games": value.clusters,
                "prespecified": row["prespecified"],
            }
        )
    return pl.DataFrame(made, infer_schema_length=None)
