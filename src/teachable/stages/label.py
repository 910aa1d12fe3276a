"""Uncertainty, leverage, patch test, recovery depth and quadrants of every snapshot.

The student's own failures and those of the expert (setup B) go into tables of their own, so that nothing behind this
stage can count one among the other, unless ``labels.setup_b`` asks for one set of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.label import label, sets

if TYPE_CHECKING:
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "uncertainty, leverage, patch test, depth, quadrants",
    "inputs": "snapshots advice estimates",
    "outputs": {
        "labeled": ("phase1/labeled_snapshots.parquet", "LABELED", "one row a labelled snapshot"),
        "expert": ("phase1/expert_snapshots.parquet", "LABELED", "the same for the expert's failures (setup B)"),
        "thresholds": (
            "phase1/thresholds.json",
            "THRESHOLDS",
            "U and L_local, each {low, high}; counts {Q1..Q4}; method; measure",
        ),
    },
    "params": "labels",
}


def run(snapshots: pl.DataFrame, advice: pl.DataFrame, estimates: pl.DataFrame, labels: c.Labels) -> dict[str, Any]:
    labeled, thresholds = label(snapshots, advice, estimates, labels)
    own, expert = sets(labeled, labels)
    return {"labeled": own, "expert": expert, "thresholds": thresholds}
