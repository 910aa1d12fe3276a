"""Do the labels survive training? The patch test again on the drift panel, at checkpoints of a run.

Rows of ``DRIFT`` hold the success probabilities of the five conditions as the checkpoint has them;
``elp_bin`` is the bin of the snapshot's ELP *before* training, so a figure can follow where each bin went.
Retention at the checkpoints is played by :func:`teachable.evaluation.panels.panel_jobs` under the names
that :func:`checkpoint_name` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from teachable import tables
from teachable.evaluation.bins import elp_bins
from teachable.evaluation.errors import EvaluationError
from teachable.rollouts import Policy, Query, Start, Values
from teachable.terms import CONDITIONS, FORMATS

CHECKPOINTS = ("first", "middle", "last")
Estimate = Callable[[Policy, Sequence[Query]], Values]


def checkpoint_name(run: str, checkpoint: str) -> str:
    """The model name of a checkpoint in EPISODES and METRICS, e.g. ``Q1_demo@first``."""
    if checkpoint not in CHECKPOINTS:
        raise EvaluationError(f"{checkpoint!r} is no checkpoint: expected one of {', '.join(CHECKPOINTS)}.")
    return f"{run}@{checkpoint}"


def drift_panel(labeled: pl.DataFrame, panels: pl.DataFrame) -> pl.DataFrame:
    """The labelled rows of the drift panel, sorted by snapshot."""
    chosen = panels.filter((pl.col("panel") == "drift") & (pl.col("side") == "held_out"))["snapshot_id"]
    return labeled.filter(pl.col("snapshot_id").is_in(chosen.implode())).sort("snapshot_id")


def drift_rows(
    policy: Policy,
    rows: pl.DataFrame,
    starts: Sequence[Start],
    patches: Mapping[str, Mapping[str, str]],
    estimate: Estimate,
    labeled: pl.DataFrame,
    *,
    model: str,
    adapters: Mapping[str, str],
) -> pl.DataFrame:
    """``DRIFT`` rows of one run: the patch test of ``rows`` (starts alongside) at each checkpoint.

    ``patches`` holds the texts by snapshot and condition, as they were for the labels; snapshots without
    patches are left out. ``adapters`` maps first, middle and last to the adapters of the student.
    ``labeled`` is the whole labelled set, which the bins of ELP are cut from. Snapshots whose engine failed
    have no row.
    """
    chosen = [
        (row, start)
        for row, start in zip(rows.iter_rows(named=True), starts, strict=True)
        if patches.get(row["snapshot_id"])
    ]
    bins = elp_bins(labeled)
    found: list[dict[str, Any]] = []
    for checkpoint, adapter in adapters.items():
        name = checkpoint_name(model, checkpoint)
        queries = [Query(start, patches[row["snapshot_id"]], adapter, name, "drift") for row, start in chosen]
        estimates = estimate(policy, queries).estimates
        values: dict[str, dict[str, float]] = {}
        for snapshot_id, quantity, value in estimates.select("snapshot_id", "quantity", "value").iter_rows():
            values.setdefault(snapshot_id, {})[quantity] = value
        for row, _ in chosen:
            p = values.get(row["snapshot_id"], {})
            if all(f"p_{condition}" in p for condition in CONDITIONS):
                found.append(_row(row, p, model, checkpoint, bins.get(row["snapshot_id"])))
    return tables.conform(pl.DataFrame(found, schema=dict(tables.DRIFT)), tables.DRIFT, "drift")


def _row(
    row: Mapping[str, Any], p: Mapping[str, float], model: str, checkpoint: str, bin_: str | None
) -> dict[str, Any]:
    net = {name: p[f"p_{name}"] - p["p_placebo"] for name in FORMATS}
    best = max(FORMATS, key=lambda name: net[name])  # ties go to the first format, as in the labels
    return {
        "model": model,
        "checkpoint": checkpoint,
        "snapshot_id": row["snapshot_id"],
        "task_id": row["task_id"],
        "quadrant": row["quadrant"],
        "elp_bin": bin_,
        **{f"p_{condition}": p[f"p_{condition}"] for condition in CONDITIONS},
        "ELP_net": net[best],
        "route": best,
    }
