"""The labels of the expert's failures (setup B) beside those of the student's: compared, never put together.

The stage ``setups`` counts once (schema ``METRICS``, model ``base``). Panels: ``student``, ``expert``, and
``difference`` (expert minus student, by game: a game may have failures of both). Group ``all``. Metrics:
``share_<quadrant>``, cut where the student's are, and the means of ``U``, ``L_local``, ``L_upper`` and ``ELP_net``.
Intervals are cluster bootstraps over games. Setup B without a labelled snapshot has no row, and neither has the
difference.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from teachable import stats, tables
from teachable.seeds import integer
from teachable.terms import QUADRANTS

STUDENT, EXPERT, DIFFERENCE = "student", "expert", "difference"
MEANS = ("U", "L_local", "L_upper", "ELP_net")
SHARES = tuple(f"share_{quadrant}" for quadrant in QUADRANTS)


def setups(
    labeled: pl.DataFrame,
    expert: pl.DataFrame,
    *,
    seed: int,
    repetitions: int = stats.REPETITIONS,
    level: float = 0.95,
) -> pl.DataFrame:
    """The table described above from two tables LABELED, between which ``source`` tells, wherever a row stands.

    Snapshots without a quadrant count nowhere.
    """
    rows = pl.concat([labeled, expert]).drop_nulls("quadrant").unique("snapshot_id").sort("snapshot_id")
    rows = rows.with_columns(
        side=pl.when(pl.col("source") == EXPERT).then(pl.lit(EXPERT)).otherwise(pl.lit(STUDENT)),
        **{f"share_{q}": (pl.col("quadrant") == q).cast(pl.Float64) for q in QUADRANTS},
    )
    options: Any = {"repetitions": repetitions, "level": level}
    made: list[dict[str, Any]] = []
    for metric in (*SHARES, *MEANS):
        known = rows.drop_nulls(metric)
        values: dict[str, stats.Interval] = {}
        for side in (STUDENT, EXPERT):
            part = known.filter(side=side)
            if len(part):
                values[side] = stats.cluster_bootstrap(
                    part[metric], part["task_id"], seed=integer(seed, "setups", side, metric), **options
                )
        if len(values) == 2:
            values[DIFFERENCE], _, _ = stats.group_contrast(
                known[metric],
                known["side"],
                known["task_id"],
                {EXPERT: 1.0, STUDENT: -1.0},
                seed=integer(seed, "setups", DIFFERENCE, metric),
                **options,
            )
        made += [
            {"model": "base", "panel": panel, "group": "all", "metric": metric, **value.row()}
            for panel, value in values.items()
        ]
    return tables.conform(pl.DataFrame(made, schema=dict(tables.METRICS)), tables.METRICS, "setups")
