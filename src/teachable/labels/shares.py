"""How the labelled snapshots fall into quadrants: all of them, by family, and by the skill that was planted there.

The stage ``quadrant-shares`` counts once (schema ``METRICS``, model ``base``, panel ``labeled``). Groups: ``all``; the
families; ``skill=<name>``, the snapshots at which the expert's command exercises a skill that the student was made to
lack, where any was. Metric ``share_<quadrant>``: its ``n`` is the group's snapshots, its ``clusters`` their games, its
interval the cluster bootstrap over games. A quadrant's snapshots are ``point * n``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import polars as pl

from teachable import stats, tables
from teachable.seeds import integer
from teachable.terms import QUADRANTS

SKILL = "skill="


def counted(labeled: pl.DataFrame, together: bool) -> pl.DataFrame:
    """The rows of LABELED that have a quadrant, without those of expert episodes (unless ``together``), by name."""
    own = pl.lit(True) if together else pl.col("source") != "expert"
    return labeled.filter(pl.col("quadrant").is_not_null() & own).sort("snapshot_id")


def quadrant_shares(
    labeled: pl.DataFrame,
    planted: Collection[str],
    skill_of: Callable[[str], str],
    *,
    seed: int,
    together: bool = False,
    repetitions: int = stats.REPETITIONS,
    level: float = 0.95,
) -> pl.DataFrame:
    """The table described above from the table LABELED; ``planted``: names of skills; ``skill_of``: the skill that a
    command exercises.

    Snapshots without a quadrant and those of expert episodes (unless ``together``) count nowhere; a
    group without a snapshot has no row.
    """
    rows = counted(labeled, together)
    skills = [skill_of(action) if action else None for action in rows["expert_action"]]
    rows = rows.with_columns(pl.Series("skill", skills, dtype=pl.String))
    groups = {"all": rows}
    groups |= {name: rows.filter(family=name) for name in sorted(rows["family"].drop_nulls().unique())}
    groups |= {f"{SKILL}{name}": rows.filter(skill=name) for name in sorted(planted)}
    made: list[dict[str, Any]] = []
    for group, part in groups.items():
        for quadrant in QUADRANTS if len(part) else ():
            share = stats.cluster_bootstrap(
                (part["quadrant"] == quadrant).cast(pl.Float64),
                part["task_id"],
                seed=integer(seed, "quadrant_shares", group, quadrant),
                repetitions=repetitions,
                level=level,
            )
            made.append(
                {"model": "base", "panel": "labeled", "group": group, "metric": f"share_{quadrant}", **share.row()}
            )
    return tables.conform(pl.DataFrame(made, schema=dict(tables.METRICS)), tables.METRICS, "quadrant_shares")
