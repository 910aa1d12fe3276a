"""Table H5.1: the main results."""

from __future__ import annotations

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, Interval, intervals, ordered, select
from teachable.terms import RUNS

ABOUT = {
    "hypothesis": "H5",
    "title": "Main results",
    "caption": (
        "Success on test tasks, from failure states and on retention tasks, and paired change against the "
        "base student, with 95 % intervals clustered by game."
    ),
    "inputs": ("metrics", "contrasts"),
    "minimum": True,
    "printed": {"wide": True},
}

PANELS = ("test", "failure", "retention")
HEADINGS = {
    "model": "Run",
    "test": "Test tasks",
    "failure": "Failure states",
    "retention": "Retention",
    "test_change": "\N{GREEK CAPITAL LETTER DELTA} test",
    "failure_change": "\N{GREEK CAPITAL LETTER DELTA} failure",
    "retention_change": "\N{GREEK CAPITAL LETTER DELTA} retention",
    "p_holm": "p (Holm)",
}


def make(data: Data) -> pl.DataFrame:
    levels = intervals(data, "metrics", ("model", "panel"), panel=list(PANELS), group="all", metric="success")
    changes = intervals(
        data,
        "contrasts",
        ("model", "panel"),
        reference="base",
        panel=list(PANELS),
        group="all",
        metric="success",
    )
    holm = {
        row["model"]: row["p_holm"]
        for row in select(
            data, "contrasts", reference="base", panel="failure", group="all", metric="success"
        ).iter_rows(named=True)
    }
    made = []
    for model in ordered({m for m, _ in levels}, ("base", *RUNS, "recovery")):
        line: dict[str, object] = {"run": model, "model": style.name(model)}
        for panel in PANELS:
            line |= _columns(panel, levels.get((model, panel))) | _columns(
                f"{panel}_change", changes.get((model, panel))
            )
        made.append(line | {"p_holm": holm.get(model)})
    return pl.DataFrame(made, infer_schema_length=None)


def _columns(name: str, value: Interval | None) -> dict[str, object]:
    parts = ("point", "low", "high", "n", "clusters")
    names = (name, f"{name}_low", f"{name}_high", f"{name}_n", f"{name}_games")
    return {column: getattr(value, part) if value else None for column, part in zip(names, parts, strict=True)}
