"""Split the labelled games into a training and a held-out side, and draw the panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.panels import make_panels

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "choose which snapshots serve what, by game",
    "inputs": "labeled retention",
    "outputs": {"panels": ("phase1/panels.parquet", "PANELS")},
    "params": "seed panels",
}


def run(labeled: pl.DataFrame, retention: pl.DataFrame, panels: c.Panels, seed: int) -> pl.DataFrame:
    return make_panels(labeled, panels, run_seed=seed, held_out_tasks=set(retention["task_id"].to_list()))
