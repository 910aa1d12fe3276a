"""Table Setups: the labels of the expert's failures beside those of the student's."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, intervals
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "appendix",
    "title": "Setup B beside the student's failures",
    "caption": (
        "Labels at the failures of the expert's own episodes (setup B), beside those at the student's, and expert "
        "minus student, with 95 % intervals clustered by game. Quadrants are cut where the student's snapshots are."
    ),
    "inputs": ("setups",),
    "printed": {"wide": True, "columns": ("setup", "snapshots", "share_*", "L_local", "ELP_net")},
}

HEADINGS = {
    "setup": "Failures of",
    "snapshots": "Snapshots",
    "games": "Games",
    **{f"share_{q}": q for q in QUADRANTS},
    "U": "U (nats)",
    "L_local": "L local",
    "L_upper": "L upper",
    "ELP_net": "ELP net",
}

PANELS = {"student": "student", "expert": "expert", "difference": "expert - student"}
SHARES = tuple(f"share_{quadrant}" for quadrant in QUADRANTS)
MEANS = ("U", "L_local", "L_upper", "ELP_net")


def make(data: Data) -> pl.DataFrame:
    found = intervals(data, "setups", ("panel", "metric"))
    made = []
    for panel, name in PANELS.items():
        whole = found.get((panel, SHARES[0]))
        if whole is None:
            continue
        line: dict[str, object] = {"setup": name, "snapshots": whole.n, "games": whole.clusters}
        for metric in (*SHARES, *MEANS):
            value = found.get((panel, metric))
            line |= {
                metric: value and value.point,
                f"{metric}_low": value and value.low,
                f"{metric}_high": value and value.high,
            }
        made.append(line)
    return pl.DataFrame(made, infer_schema_length=None)
