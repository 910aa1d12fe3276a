"""Table H4.1: the transfer matrix."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, intervals
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H4",
    "title": "Transfer matrix",
    "caption": (
        "Change in success on each quadrant (columns) after training on each (rows), mean over formats, with "
        "95 % intervals clustered by game."
    ),
    "inputs": ("transfer",),
    "printed": {"columns": ("trained_on", "Q?")},
}

HEADINGS = {
    "trained_on": "Trained on",
    **{q: f"on {q}" for q in QUADRANTS},
    "n": "Episodes",
    "games": "Games a cell",
}


def make(data: Data) -> pl.DataFrame:
    cells = intervals(data, "transfer", ("trained_on", "evaluated_on"), format="mean")
    made = []
    for trained in QUADRANTS:
        line: dict[str, object] = {"trained_on": trained}
        known = []
        for tested in QUADRANTS:
            value = cells.get((trained, tested))
            line |= {
                tested: value and value.point,
                f"{tested}_low": value and value.low,
                f"{tested}_high": value and value.high,
            }
            known += [value] if value else []
        games = sorted({v.clusters for v in known})  # games may be shared between cells, so they are not added up
        made.append(
            line
            | {
                "n": sum(v.n for v in known),
                "games": " to ".join(str(g) for g in sorted({games[0], games[-1]})) if games else None,
            }
        )
    return pl.DataFrame(made, infer_schema_length=None)
