"""Table H7.1: selection at a fixed budget."""

from __future__ import annotations

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, Interval, frame, intervals, ordered

PANELS = ("test", "failure", "retention")
HEADINGS = {
    "name": "Selection",
    "test": "Test tasks",
    "failure": "Failure states",
    "retention": "Retention",
    "over_random": "Failure, over random",
    "over_entropy": "Failure, over entropy",
    "p_holm": "p (Holm), over random",
    "n": "n",
    "games": "Games",
}


def make(data: Data) -> pl.DataFrame:
    levels = intervals(data, "selection_metrics", ("model", "panel"), panel=list(PANELS), group="all", metric="success")
    rows = frame(data, "selection_contrasts", "contrast", "panel", "group", "metric", "point", "p_holm")
    rows = rows.filter(panel="failure", group="all", metric="success").drop_nulls("point")
    stored = {row["contrast"]: row for row in rows.iter_rows(named=True)}
    made = []
    for bare in ordered({model.removeprefix("S_") for model, _ in levels}, ("base", *style.SELECTIONS)):
        model = "base" if bare == "base" else f"S_{bare}"
        line: dict[str, object] = {"run": model, "name": style.name(bare)}
        for panel in PANELS:
            line |= _columns(panel, levels.get((model, panel)))
        for rival in ("random", "entropy"):
            pair = stored.get(f"{model}-vs-S_{rival}")
            line |= _columns(f"over_{rival}", Interval.of(pair) if pair else None)
        pair = stored.get(f"{model}-vs-S_random")
        shown = levels.get((model, "failure"))
        line |= {
            "p_holm": pair["p_holm"] if pair else None,
            "n": shown and shown.n,
            "games": shown and shown.clusters,
        }
        made.append(line)
    return pl.DataFrame(made, infer_schema_length=None)


def _columns(name: str, value: Interval | None) -> dict[str, object]:
    return {
        name: value and value.point,
        f"{name}_low": value and value.low,
        f"{name}_high": value and value.high,
    }
