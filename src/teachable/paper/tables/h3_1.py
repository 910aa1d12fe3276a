"""Table H3.1: the best format of each quadrant."""

from __future__ import annotations

import polars as pl

from teachable.paper.figures.h3_1 import best, own
from teachable.paper.inputs import Data, Interval, frame
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H3",
    "title": "Best format by quadrant",
    "caption": (
        "Change in success on the quadrant's held-out failures for the best format and for demonstrations, "
        "and their paired difference; p-values with Holm's correction."
    ),
    "inputs": ("transfer", "contrasts"),
    "printed": {"wide": True},
}

HEADINGS = {
    "quadrant": "Quadrant",
    "best": "Best format",
    "gain": "\N{GREEK CAPITAL LETTER DELTA} success",
    "demo": "\N{GREEK CAPITAL LETTER DELTA} with demo",
    "difference": "Best minus demo",
    "p_holm": "p (Holm)",
    "cross_fitted": "Best minus demo, cross-fitted",
    "n": "n",
    "games": "Games",
}


def make(data: Data) -> pl.DataFrame:
    cells = own(data)
    rows = frame(data, "contrasts", "contrast", "panel", "group", "metric", "point", "p_holm")
    stored = {
        (row["contrast"], row["group"]): row
        for row in rows.filter(panel="failure", metric="success").drop_nulls("point").iter_rows(named=True)
    }
    made = []
    for quadrant in QUADRANTS:
        winner = best(cells).get(quadrant)
        if winner is None:
            continue
        paired = stored.get((f"{quadrant}_{winner}-vs-{quadrant}_demo", quadrant))
        fitted = stored.get(("best_format-vs-demo", quadrant))
        gain = cells[quadrant, winner]
        made.append(
            {"quadrant": quadrant, "best": winner}
            | _columns("gain", gain)
            | _columns("demo", cells.get((quadrant, "demo")))
            | _columns("difference", Interval.of(paired) if paired else None)
            | {"p_holm": paired["p_holm"] if paired else None}
            | _columns("cross_fitted", Interval.of(fitted) if fitted else None)
            | {"n": gain.n, "games": gain.clusters}
        )
    return pl.DataFrame(made, infer_schema_length=None)


def _columns(name: str, value: Interval | None) -> dict[str, object]:
    return {
        name: value and value.point,
        f"{name}_low": value and value.low,
        f"{name}_high": value and value.high,
    }
