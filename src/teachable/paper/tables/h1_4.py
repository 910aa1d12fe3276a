"""Table H1.4: which skills the failures of each quadrant lack, and which of them were planted."""

from __future__ import annotations

import polars as pl

from teachable.paper.inputs import Data, Interval, frame
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H1",
    "title": "Skills that the failures lack",
    "caption": (
        "Snapshots by quadrant and by the skill of the expert's command there, with its share of the quadrant"
        " (95 % interval clustered by game) and of all snapshots. Planted are skills that the built-in "
        "student's demonstrator lacks: a habit (wrong and sure of it) should fill Q4, a dithering (unsure) Q1"
        " and Q2. A pretrained student has none planted."
    ),
    "inputs": ("skills",),
    "printed": {
        "wide": True,
        "rows": {"quadrant": ("all", "Q1", "Q4")},
        "note": "Shown are all snapshots and the quadrants of high leverage.",
    },
}

HEADINGS = {
    "quadrant": "Quadrant",
    "skill": "Expert's action",
    "planted": "Planted as",
    "snapshots": "Snapshots",
    "share": "Share of quadrant",
    "base": "Share of all",
    "U": "U (nats)",
    "L_local": "L local",
    "p_right": "p(expert's action)",
    "already_right": "Likeliest is right",
}


def make(data: Data) -> pl.DataFrame:
    rows = frame(data, "skills", "quadrant", "skill", "planted", "snapshots", "point")
    rows = rows.filter(pl.col("quadrant").is_in(["all", *QUADRANTS]))
    base = {row["skill"]: row["point"] for row in rows.filter(quadrant="all").iter_rows(named=True)}
    made = []
    for row in rows.filter(pl.col("snapshots") > 0).iter_rows(named=True):
        share = Interval.of(row)
        made.append(
            {
                "quadrant": row["quadrant"],
                "skill": row["skill"],
                "planted": row["planted"],
                "snapshots": row["snapshots"],
                "share": share.point,
                "share_low": share.low,
                "share_high": share.high,
                "base": base[row["skill"]],
                **{name: row[name] for name in ("U", "L_local", "p_right", "already_right")},
            }
        )
    order = {name: index for index, name in enumerate(("all", *QUADRANTS))}
    made.sort(key=lambda line: (order[line["quadrant"]], -line["snapshots"], line["skill"]))
    return pl.DataFrame(made, infer_schema_length=None)
