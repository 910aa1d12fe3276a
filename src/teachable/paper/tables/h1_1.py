"""Table H1.1: the quadrants."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, intervals, labelled, record
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H1",
    "title": "Quadrants",
    "caption": (
        "Snapshots, games and mean labels by quadrant, with 95 % intervals clustered by game. Route is the "
        "most common best format."
    ),
    "inputs": ("labeled", "thresholds", "label_metrics"),
    "minimum": True,
    "printed": {"wide": True, "columns": ("quadrant", "snapshots", "games", "U", "L_*", "ELP_net_debiased", "route*")},
}

HEADINGS = {
    "quadrant": "Quadrant",
    "snapshots": "Snapshots",
    "games": "Games",
    "U": "U (nats)",
    "L_local": "L local",
    "L_upper": "L upper",
    "ELP_net": "ELP net",
    "ELP_net_debiased": "ELP net, bias-corrected",
    "route": "Route",
    "route_share": "Share",
}
MEANS = ("U", "L_local", "L_upper", "ELP_net", "ELP_net_debiased")


def make(data: Data) -> pl.DataFrame:
    rows = labelled(data)
    stored = intervals(data, "label_metrics", ("group", "metric"), panel="labeled")
    made = []
    for quadrant in ("all", *QUADRANTS):
        part = rows if quadrant == "all" else rows.filter(quadrant=quadrant)
        line: dict[str, object] = {
            "quadrant": quadrant,
            "snapshots": len(part),
            "games": part["task_id"].n_unique(),
        }
        for metric in MEANS:
            value = stored.get((quadrant, metric))
            line |= {
                metric: value and value.point,
                f"{metric}_low": value and value.low,
                f"{metric}_high": value and value.high,
            }
        shares = {
            kind: stored[quadrant, f"share_route_{kind}"]
            for kind in FORMATS
            if (quadrant, f"share_route_{kind}") in stored
        }
        route = max(shares, key=lambda kind: shares[kind].point) if shares else None
        share = shares[route] if route else None
        line |= {
            "route": route,
            "route_share": share and share.point,
            "route_share_low": share and share.low,
            "route_share_high": share and share.high,
            "U_threshold": record(data, "thresholds", "U", "high"),
            "L_local_threshold": record(data, "thresholds", "L_local", "high"),
        }
        made.append(line)
    return pl.DataFrame(made, infer_schema_length=None)
