"""Which skills the failures lack, by quadrant, and whether the labels found those that were planted.

A snapshot lacks the skill of the expert's command there. The stage of the same name counts them once (schema
``SKILLS``) with intervals clustered by game. Groups are single skills (``open``, ``go`` ...) and kinds: ``a habit``
and ``a dithering``, all skills planted as such, and ``not planted``. The share of a quadrant stands beside that of
all snapshots (quadrant ``all``, the base rate). A kind belongs somewhere: habits, of which the student is sure, into
Q4, ditherings, of which it is unsure, into Q1 and Q2; the difference between its share there and its share elsewhere
(quadrant ``Q4 - rest``, ``Q1 and Q2 - rest``) says whether the labels found it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from teachable import stats, tables
from teachable.labels.shares import counted
from teachable.seeds import integer
from teachable.terms import QUADRANTS

if TYPE_CHECKING:
    from teachable.training.gaps import Gap

KINDS = {"habit": "a habit", "dither": "a dithering"}
OTHER = "not planted"
DEAD_END = "none (dead end)"
PLACES = {"habit": ("Q4",), "dither": ("Q1", "Q2")}  # where each kind belongs


def skills(
    labeled: pl.DataFrame,
    gaps: Mapping[str, Gap],
    skill_of: Callable[[str], str],
    *,
    seed: int,
    together: bool = False,
    repetitions: int = stats.REPETITIONS,
    level: float = 0.95,
) -> pl.DataFrame:
    """The table described above from the table LABELED; ``gaps``: what was planted, by skill; ``skill_of``: the
    skill that a command exercises.

    Snapshots without a quadrant and those of expert episodes (unless ``together``) count nowhere.
    """
    rows = counted(labeled, together)
    probability = [
        math.exp(logp[commands.index(action)]) if action in commands else None
        for action, commands, logp in rows.select("expert_action", "commands", "logp").iter_rows()
    ]
    likeliest = [commands[int(np.argmax(logp))] for commands, logp in rows.select("commands", "logp").iter_rows()]
    skill = [skill_of(action) if action else DEAD_END for action in rows["expert_action"]]
    kind = [KINDS[gaps[name].otherwise] if name in gaps else OTHER for name in skill]
    rows = rows.with_columns(
        pl.Series("skill", skill, dtype=pl.String),
        pl.Series("kind", kind, dtype=pl.String),
        pl.Series("p_right", probability, dtype=pl.Float64),
        already_right=(pl.Series(likeliest, dtype=pl.String) == pl.col("expert_action")).cast(pl.Float64),
    )
    made: list[dict[str, Any]] = []
    groups = [("skill", name) for name in sorted({*skill, *gaps})]
    groups += [("kind", name) for name in (*KINDS.values(), OTHER) if gaps]
    for quadrant in ("all", *QUADRANTS):
        part = rows if quadrant == "all" else rows.filter(quadrant=quadrant)
        for column, name in groups:
            inside = part.filter(pl.col(column) == name)
            gap = gaps.get(name) if column == "skill" else None
            line: dict[str, Any] = {
                "quadrant": quadrant,
                "skill": name,
                "planted": gap.otherwise if gap else None,
                "known": gap.known if gap else None,
                "snapshots": len(inside),
                **{value: inside[value].mean() for value in ("U", "L_local", "p_right", "already_right")},
                **dict.fromkeys(tables.INTERVAL),
            }
            if len(part):
                share = stats.cluster_bootstrap(
                    (part[column] == name).cast(pl.Float64),
                    part["task_id"],
                    seed=integer(seed, "skills", quadrant, name),
                    repetitions=repetitions,
                    level=level,
                )
                line |= share.row()
            made.append(line)
    for otherwise, places in PLACES.items():
        name = KINDS[otherwise]
        side = ["inside" if quadrant in places else "elsewhere" for quadrant in rows["quadrant"]]
        if gaps and len(set(side)) == 2:
            found, _, _ = stats.group_contrast(
                (rows["kind"] == name).cast(pl.Float64),
                side,
                rows["task_id"],
                {"inside": 1.0, "elsewhere": -1.0},
                seed=integer(seed, "skills", "difference", name),
                repetitions=repetitions,
                level=level,
            )
            made.append(
                {
                    "quadrant": difference(otherwise),
                    "skill": name,
                    "snapshots": side.count("inside"),
                    **found.row(),
                }
            )
    return tables.conform(pl.DataFrame(made, schema=dict(tables.SKILLS)), tables.SKILLS, "skills")


def difference(otherwise: str) -> str:
    """The quadrant column of a kind's difference."""
    return f"{' and '.join(PLACES[otherwise])} - rest"
