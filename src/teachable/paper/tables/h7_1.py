"""Table H7.1: selection at fixed budgets."""

from __future__ import annotations

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, Interval, frame, intervals, ordered
from teachable.terms import REPLAY_ONLY, selection_name, selection_of

ABOUT = {
    "hypothesis": "H7",
    "title": "Selection at a fixed budget",
    "caption": (
        "Success of one run per selection method and k, and its paired change against replay alone, random "
        "selection, entropy and, for a diverse variant, the plain one of the same k, with 95 % intervals "
        "clustered by game."
    ),
    "inputs": ("selection_metrics", "selection_contrasts"),
    "printed": {
        "wide": True,
        "columns": ("k", "name", "test", "failure", "retention", "over_replay", "over_random", "p_holm"),
    },
}

PANELS = ("test", "failure", "retention")
HEADINGS = {
    "k": "k",
    "name": "Selection",
    "test": "Test tasks",
    "failure": "Failure states",
    "retention": "Retention",
    "over_replay": "Failure, over replay alone",
    "over_random": "Failure, over random",
    "over_entropy": "Failure, over entropy",
    "over_plain": "Failure, over the plain variant",
    "p_holm": "p (Holm), over random",
    "mde": "Detectable, over random",
    "n": "n",
    "games": "Games",
}


def make(data: Data) -> pl.DataFrame:
    levels = intervals(data, "selection_metrics", ("model", "panel"), panel=list(PANELS), group="all", metric="success")
    rows = frame(
        data, "selection_contrasts", "contrast", "panel", "group", "metric", "point", "low", "high", "n", "clusters",
        "p_holm", "mde",
    )  # fmt: skip
    rows = rows.filter(panel="failure", group="all", metric="success").drop_nulls("point")
    stored = {row["contrast"]: row for row in rows.iter_rows(named=True)}
    found = {pair for model, _ in levels if (pair := selection_of(model))}
    made = [_line("base", None, levels, stored)]
    for k in sorted({k for _, k in found}):
        made += [_line(m, k, levels, stored) for m in ordered({m for m, size in found if size == k}, style.SELECTIONS)]
    return pl.DataFrame(made, infer_schema_length=None)


def _line(
    method: str, k: int | None, levels: dict[tuple[str, str], Interval], stored: dict[str, dict[str, object]]
) -> dict[str, object]:
    model = method if k is None else selection_name(method, k)
    line: dict[str, object] = {"run": model, "k": k, "name": style.name(method)}
    for panel in PANELS:
        line |= _columns(panel, levels.get((model, panel)))
    for column, rival in (("random", "random"), ("entropy", "entropy"), ("plain", method.removesuffix("_diverse"))):
        pair = None if k is None else stored.get(f"{model}-vs-{selection_name(rival, k)}")
        line |= _columns(f"over_{column}", Interval.of(pair) if pair else None)
    alone = stored.get(f"{model}-vs-{REPLAY_ONLY}")
    line |= _columns("over_replay", Interval.of(alone) if alone else None)
    pair = None if k is None else stored.get(f"{model}-vs-{selection_name('random', k)}")
    shown = levels.get((model, "failure"))
    return line | {
        "p_holm": pair["p_holm"] if pair else None,
        "mde": pair["mde"] if pair else None,
        "n": shown and shown.n,
        "games": shown and shown.clusters,
    }


def _columns(name: str, value: Interval | None) -> dict[str, object]:
    return {
        name: value and value.point,
        f"{name}_low": value and value.low,
        f"{name}_high": value and value.high,
    }
