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

    Intervals draw whole games and training seeds; ``n`` counts the episodes of all seeds. A success rate of
    episodes that are all of different games, of one training, is a plain proportion and gets Wilson's interval. A
    model without any episode in a group has no row there.
    """
    rows: list[dict[str, Any]] = []
    games = np.asarray(outcomes.games, dtype=object)
    for group, mask in outcomes.groups().items():
        drawn = Games.draw(games[mask].tolist(), seeds.integer(seed, "metrics", outcomes.panel, group), settings)
        intervals: dict[tuple[str, str], stats.Interval] = {}
        for column, (model, count) in enumerate(zip(outcomes.models, outcomes.seeds, strict=True)):
            top, bottom = (
                np.stack([values[name][:, mask, column] for name in METRICS], axis=2)
                for values in (outcomes.top, outcomes.bottom)
            )
            found = drawn.ratios(top, bottom, model=model, count=count)
            intervals |= {(name, model): one for name, one in zip(METRICS, found, strict=True)}
        for name in METRICS:
            for column, (model, count) in enumerate(zip(outcomes.models, outcomes.seeds, strict=True)):
                interval = intervals[name, model]
                if not interval.n:
                    continue
                if name == "success" and count == 1 and interval.n == interval.clusters:
                    won = int(np.nansum(outcomes.top[name][0, mask, column]))
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
