"""Table A5: what linear probes read from hidden states: the base's probe, between chance and the run's own."""

from __future__ import annotations

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, intervals, ordered
from teachable.terms import BASE, RUNS

ABOUT = {
    "hypothesis": "appendix",
    "title": "What hidden states tell",
    "caption": (
        "Accuracy of linear probes on held-out failures: the room (state) and the kind of command needed next (goal). "
        "Chance names the commonest class. The base student's probe, fitted on its hidden states, reads those of the "
        "run; the run's own probe is the ceiling. Probes are judged on games that they never saw."
    ),
    "inputs": ("mechanistic",),
    "printed": {"wide": True},
}

TARGETS = ("state", "goal")
READINGS = {"chance": "chance", "from_base": "by the base's probe", "accuracy": "by its own"}
HEADINGS = {
    "run": "Run",
    **{f"{target}_{name}": f"{target.capitalize()}, {said}" for target in TARGETS for name, said in READINGS.items()},
    "n": "n",
    "games": "Games",
}


def make(data: Data) -> pl.DataFrame:
    """One row a model; the base has one probe, its own. Intervals are those stored; n is the most of a row's."""
    names = {f"probe_{target}_{name}": f"{target}_{name}" for target in TARGETS for name in READINGS}
    found = intervals(data, "mechanistic", ("model", "metric"), by="all", group="all", metric=list(names))
    models = [BASE, *(m for m in ordered({model for model, _ in found}, (*RUNS, "recovery")) if m != BASE)]
    made = []
    for model in models:
        own = {column: found.get((model, metric)) for metric, column in names.items()}
        row: dict[str, object] = {"model": model, "run": style.name(model)}
        for column, value in own.items():
            low, high = (value.low, value.high) if value else (None, None)
            row |= {column: value and value.point, f"{column}_low": low, f"{column}_high": high}
        known = [value for value in own.values() if value]
        row |= {"n": max((v.n for v in known), default=0), "games": max((v.clusters for v in known), default=0)}
        made.append(row)
    ends = [f"{column}{end}" for column in names.values() for end in ("", "_low", "_high")]
    return pl.DataFrame(made, schema_overrides=dict.fromkeys(ends, pl.Float64), infer_schema_length=None)
