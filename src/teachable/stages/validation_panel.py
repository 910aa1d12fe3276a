"""The validation panel alone: the very rows that ``panels`` gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable.labels.panels import make_panels

if TYPE_CHECKING:
    from teachable.config import model as c

ABOUT = {
    "about": "choose the snapshots of micro-training alone",
    "inputs": "labeled retention",
    "outputs": {"validation_panel": ("phase1/validation_panel.parquet", "PANELS", "the panel validation alone")},
    "params": "seed panels",
}


def run(labeled: pl.DataFrame, retention: pl.DataFrame, panels: c.Panels, seed: int) -> pl.DataFrame:
    chosen = make_panels(labeled, panels, run_seed=seed, held_out_tasks=set(retention["task_id"].to_list()))
    return chosen.filter(pl.col("panel") == "validation")
