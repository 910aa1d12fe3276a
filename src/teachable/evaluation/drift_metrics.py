"""Intervals of drift: how the patch test at checkpoints compares with that of the base student.

A stage runs this once and stores the result (schema ``METRICS``, panel ``drift``, model
``<run>@<checkpoint>``); figures only read it. Games are the independent units. Groups: ``all`` and the
quadrants. Metrics: ``ELP_net`` (mean at the checkpoint), ``spearman_base`` (rank correlation with the base
student's ELP_net on the same snapshots), and ``route_agreement`` (share of snapshots whose best format is
that of the base student). The base student itself is the model ``base``, with the mean of ELP_net over the
same snapshots.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from teachable import stats, tables
from teachable.evaluation.errors import EvaluationError
from teachable.seeds import integer
from teachable.terms import QUADRANTS


def drift_metrics(
    drift: pl.DataFrame,
    labeled: pl.DataFrame,
    *,
    seed: int,
    repetitions: int = stats.REPETITIONS,
    level: float = 0.95,
) -> pl.DataFrame:
    """The table described above from DRIFT and LABELED; empty where nothing drifted (no run of the
    drift could be trained). Raises EvaluationError when they share no snapshot."""
    if drift.is_empty():
        return tables.empty(tables.METRICS)
    before = labeled.select("snapshot_id", base_ELP="ELP_net", base_route="route")
    rows = drift.join(before, on="snapshot_id").drop_nulls(["ELP_net", "base_ELP"])
    if rows.is_empty():
        raise EvaluationError("No snapshot of the drift table has a label: the two are not from the same run.")
    rows = rows.with_columns(agreement=(pl.col("route") == pl.col("base_route")).cast(pl.Float64))
    options: Any = {"level": level, "repetitions": repetitions}
    made: list[dict[str, Any]] = []

    def add(model: str, group: str, metric: str, value: stats.Interval) -> None:
        if value.row()["point"] is not None:
            made.append({"model": model, "panel": "drift", "group": group, "metric": metric, **value.row()})

    def mean(part: pl.DataFrame, column: str, *names: str) -> stats.Interval:
        return stats.cluster_bootstrap(
            part[column], part["task_id"], seed=integer(seed, "drift_metrics", *names), **options
        )

    for group in ("all", *QUADRANTS):
        kept = rows if group == "all" else rows.filter(pl.col("quadrant") == group)
        start = kept.unique("snapshot_id", keep="first", maintain_order=True).sort("snapshot_id")
        if start.is_empty():
            continue
        add("base", group, "ELP_net", mean(start, "base_ELP", "base", group))
        for (run, checkpoint), part in sorted(kept.group_by("model", "checkpoint"), key=lambda item: str(item[0])):
            part = part.sort("snapshot_id")
            model = f"{run}@{checkpoint}"
            add(model, group, "ELP_net", mean(part, "ELP_net", model, group, "ELP_net"))
            agreed = part.drop_nulls("agreement")
            if len(agreed):
                add(model, group, "route_agreement", mean(agreed, "agreement", model, group, "route"))
            if len(part) > 2:
                add(
                    model,
                    group,
                    "spearman_base",
                    stats.correlation(
                        part["ELP_net"],
                        part["base_ELP"],
                        part["task_id"],
                        kind="spearman",
                        seed=integer(seed, "drift_metrics", model, group, "spearman"),
                        **options,
                    ),
                )
    return tables.conform(pl.DataFrame(made, schema=dict(tables.METRICS)), tables.METRICS, "drift_metrics")
