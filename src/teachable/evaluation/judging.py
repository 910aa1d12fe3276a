"""How far a judge of trajectories agrees with what is known exactly: rows of ``METRICS``, panel ``judge``.

=================== ================================================================================
group, metric       meaning
=================== ================================================================================
verdicts            share of questions with a verdict; all else is over these
decision, agreement the judge names the deciding decision itself
decision, within_one or one beside it
decision, kappa     Cohen's kappa of the two; kappa_within_one: nearly right counts as right;
                    kappa_linear: weighted by how far apart
advice, agreement   the judge calls right what is best by the action values, and wrong what is not
advice, kappa       Cohen's kappa of the two
advice, said_right  share of advice that the judge calls right; is_right: that is, by the action values
=================== ================================================================================

Intervals draw games. Where nearly all advice is right, or nearly all episodes are lost at one place, chance agrees
nearly fully, and kappa is small or not defined whatever the judge says: read the shares beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from teachable import seeds, stats, tables
from teachable.evaluation.resampling import Resampling

PANEL = "judge"
KNOWN = 0.05
"""Standard error up to which the value of a command is taken as known (as of ``teachable export values``)."""


def best_by_values(action_values: pl.DataFrame, commands: pl.DataFrame) -> dict[str, bool]:
    """By snapshot, whether the command of ``commands`` (snapshot_id, command) is the best by ACTION_VALUES.

    It is where no other command whose value is known is certainly better: by more than two standard errors of the
    difference. A snapshot is left out where the command's own value is not known (a standard error above
    :data:`KNOWN`), or that of no other command is.
    """
    known = action_values.filter(pl.col("se") <= KNOWN).select("snapshot_id", "command", "value", "se")
    own = commands.join(known, on=["snapshot_id", "command"])
    pairs = own.join(known, on="snapshot_id", suffix="_other").filter(pl.col("command") != pl.col("command_other"))
    margin = 2 * (pl.col("se") ** 2 + pl.col("se_other") ** 2).sqrt()
    better = pl.col("value_other") - pl.col("value") > margin + 1e-9
    return dict(pairs.group_by("snapshot_id").agg(~better.any()).sort("snapshot_id").iter_rows())


def judge_agreement(judgements: pl.DataFrame, settings: Resampling, *, seed: int) -> pl.DataFrame:
    """``METRICS`` rows of every judge (model) and subject in ``judgements`` (JUDGEMENTS). Questions without a truth
    count among those without a verdict's share only."""
    rows: list[dict[str, Any]] = []
    for (model, subject), asked in sorted(judgements.group_by("model", "subject"), key=lambda item: str(item[0])):
        asked = asked.sort("item_id")
        both = asked.drop_nulls(["verdict", "truth"])
        found = {"verdicts": _mean(asked, asked["valid"], settings, seed, str(subject), "verdicts")}
        if not both.is_empty():
            found |= _measures(both, settings, seed, str(subject))
        named = {"model": model, "panel": PANEL, "group": subject}
        rows += [{**named, "metric": metric, **interval.row()} for metric, interval in found.items()]
    return tables.conform(pl.DataFrame(rows, schema=dict(tables.METRICS)), tables.METRICS, "judge agreement")


def _measures(both: pl.DataFrame, settings: Resampling, seed: int, subject: str) -> dict[str, stats.Interval]:
    said, truth = both["verdict"], both["truth"]
    options: Any = {"level": settings.level, "repetitions": settings.repetitions}

    def kappa(disagreement: stats.Disagreement) -> stats.Interval:
        drawn = seeds.integer(seed, "judge", subject, "kappa", disagreement)
        return stats.cohen_kappa(said, truth, both["task_id"], disagreement=disagreement, seed=drawn, **options)

    found = {"agreement": _mean(both, said == truth, settings, seed, subject, "agreement"), "kappa": kappa("exact")}
    if subject == "decision":
        near = (said - truth).abs() <= 1
        found["within_one"] = _mean(both, near, settings, seed, subject, "within_one")
        return found | {"kappa_within_one": kappa("within_one"), "kappa_linear": kappa("linear")}
    found["said_right"] = _mean(both, said == 1, settings, seed, subject, "said_right")
    return found | {"is_right": _mean(both, truth == 1, settings, seed, subject, "is_right")}


def _mean(
    rows: pl.DataFrame, values: pl.Series, settings: Resampling, seed: int, subject: str, metric: str
) -> stats.Interval:
    return stats.cluster_bootstrap(
        values.cast(pl.Float64).to_numpy().astype(np.float64),
        rows["task_id"],
        seed=seeds.integer(seed, "judge", subject, metric),
        level=settings.level,
        repetitions=settings.repetitions,
    )
