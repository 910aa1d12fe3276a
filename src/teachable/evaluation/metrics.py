"""Success, retention and stuckness of every model, with intervals: rows of ``METRICS``."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from teachable import seeds, stats, tables
from teachable.evaluation.outcomes import METRICS, STUCKNESS, Outcomes
from teachable.evaluation.resampling import Games, Resampling


def metric_rows(outcomes: Outcomes, settings: Resampling, *, seed: int) -> list[dict[str, Any]]:
    """Rows of ``METRICS`` of one panel: each model, group and metric.

    Intervals draw whole games. A success rate of episodes that are all of different games is a plain
    proportion and gets Wilson's interval. A model without any episode in a group has no row there.
    """
    rows: list[dict[str, Any]] = []
    games = np.asarray(outcomes.games, dtype=object)
    for group, mask in outcomes.groups().items():
        drawn = Games.draw(games[mask].tolist(), seeds.integer(seed, "metrics", outcomes.panel, group), settings)
        top = np.concatenate([outcomes.top[name][mask] for name in METRICS], axis=1)
        bottom = np.concatenate([outcomes.bottom[name][mask] for name in METRICS], axis=1)
        intervals = iter(drawn.ratios(top, bottom))
        for name in METRICS:
            for column, model in enumerate(outcomes.models):
                interval = next(intervals)
                if not interval.n:
                    continue
                if name == "success" and interval.n == interval.clusters:
                    won = int(np.nansum(outcomes.top[name][mask, column]))
                    interval = stats.wilson(won, interval.n, level=settings.level)
                rows.append(
                    {
                        "model": model,
                        "panel": outcomes.panel,
                        "group": group,
                        "metric": name,
                        **interval.row(),
                    }
                )
    return rows


def stuckness(metrics: pl.DataFrame) -> pl.DataFrame:
    """The ``METRICS`` rows about being stuck."""
    return metrics.filter(pl.col("metric").is_in(STUCKNESS))


def metrics_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """``rows`` as a table, sorted by model (base first), panel, group and metric as given."""
    return pl.DataFrame(rows, schema=dict(tables.METRICS))
