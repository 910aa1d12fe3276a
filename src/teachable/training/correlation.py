"""Does the patch test predict what training on a snapshot gains? The content of ``cpt_correlation.json``.

Intervals draw whole games (``teachable.stats``). ``ELP_net`` and ``L_local`` are strongly related, so
beside the plain correlation stands the partial one: what ELP says about the gain once leverage is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from teachable import seeds, stats, tables
from teachable.config.model import Statistics
from teachable.terms import FORMATS, QUADRANTS

Json = dict[str, Any]
_LEAST = 4  # observations and games below which a correlation is not given


def cpt_correlation(micro: pl.DataFrame, labeled: pl.DataFrame, settings: Statistics, *, seed: int) -> Json:
    """The report of phase 1b as a JSON object; every number is an interval (point, low, high, method, ...).

    ``overall``
        ``spearman`` and ``pearson`` of ELP_net with delta_micro; ``spearman_L_local``; the partial Spearman
        correlations ``partial_spearman_ELP_given_L`` and ``partial_spearman_L_given_ELP``;
        ``spearman_ELP_minus_L_local``, the difference of the two correlations with its own interval;
        ``spearman_snapshot`` and ``spearman_similar``, of ELP_net with the two parts of delta_micro.
    ``per_quadrant``
        ``spearman``, ``pearson`` and ``spearman_L_local`` of each quadrant.
    ``utility``, ``utility_Q1_minus_Q2``
        mean delta_micro of each quadrant, and the difference, with p_value, that the protocol expects to be positive
    ``median_net_gain``, ``median_net_gain_debiased``, ``mean_net_gain``, ``mean_placebo_gain``
        over the labelled snapshots: median ELP_net, the same corrected for the maximum over formats, mean gain over
        the placebo of the three formats together, mean p_placebo - p_base.

    A quantity that is not defined (too few snapshots or games, no variation) is an interval of nulls and its n.
    """
    micro = micro.sort("snapshot_id")
    known = labeled.sort("snapshot_id").with_columns(_net_mean=pl.mean_horizontal(f"net_{f}" for f in FORMATS))

    def relate(frame: pl.DataFrame, x: str, y: str, kind: Any, *, given: str | None = None, name: str = "") -> Json:
        columns = [x, y, *([given] if given else [])]
        part = frame.drop_nulls(columns).drop_nans(columns)
        if part.height < _LEAST or part["task_id"].n_unique() < 2:
            return _undefined(part)
        covariates = part[given].to_numpy() if given else None
        interval = stats.partial_correlation(
            part[x].to_numpy(),
            part[y].to_numpy(),
            covariates,
            part["task_id"].to_list(),
            kind=kind,
            seed=seeds.integer(seed, "cpt correlation", name, x, y, kind, given or ""),
            level=settings.level,
            repetitions=settings.repetitions,
        )
        return interval.row()

    def difference(frame: pl.DataFrame) -> Json:
        columns = ["ELP_net", "L_local", "delta_micro"]
        part = frame.drop_nulls(columns).drop_nans(columns)
        if part.height < _LEAST or part["task_id"].n_unique() < 2:
            return _undefined(part)
        return stats.spearman_difference(
            part["ELP_net"].to_numpy(),
            part["L_local"].to_numpy(),
            part["delta_micro"].to_numpy(),
            part["task_id"].to_list(),
            seed=seeds.integer(seed, "cpt correlation", "difference"),
            level=settings.level,
            repetitions=settings.repetitions,
        ).row()

    def summary(frame: pl.DataFrame, column: str, statistic: Any, name: str) -> Json:
        part = frame.drop_nulls(column).drop_nans(column)
        if part.is_empty():
            return _undefined(part)
        interval = stats.cluster_bootstrap(
            part[column].to_numpy(),
            part["task_id"].to_list(),
            statistic,
            seed=seeds.integer(seed, "cpt summary", name, column),
            level=settings.level,
            repetitions=settings.repetitions,
        )
        return interval.row()

    quadrants = {q: micro.filter(pl.col("quadrant") == q) for q in QUADRANTS}
    return {
        "overall": {
            "spearman": relate(micro, "ELP_net", "delta_micro", "spearman"),
            "pearson": relate(micro, "ELP_net", "delta_micro", "pearson"),
            "spearman_L_local": relate(micro, "L_local", "delta_micro", "spearman"),
            "pearson_L_local": relate(micro, "L_local", "delta_micro", "pearson"),
            "spearman_ELP_minus_L_local": difference(micro),
            "partial_spearman_ELP_given_L": relate(micro, "ELP_net", "delta_micro", "spearman", given="L_local"),
            "partial_spearman_L_given_ELP": relate(micro, "L_local", "delta_micro", "spearman", given="ELP_net"),
            "spearman_ELP_L_local": relate(micro, "ELP_net", "L_local", "spearman"),
            "spearman_snapshot": relate(micro, "ELP_net", "delta_snapshot", "spearman"),
            "spearman_similar": relate(micro, "ELP_net", "delta_similar", "spearman"),
        },
        "per_quadrant": {
            q: {
                "spearman": relate(part, "ELP_net", "delta_micro", "spearman", name=q),
                "pearson": relate(part, "ELP_net", "delta_micro", "pearson", name=q),
                "spearman_L_local": relate(part, "L_local", "delta_micro", "spearman", name=q),
            }
            for q, part in quadrants.items()
        },
        "utility": {q: summary(part, "delta_micro", "mean", q) for q, part in quadrants.items()},
        "utility_Q1_minus_Q2": _utility_difference(micro, settings, seed),
        "median_net_gain": summary(known, "ELP_net", _median, "all"),
        "median_net_gain_debiased": summary(known, "ELP_net_debiased", _median, "all"),
        "mean_net_gain": summary(known, "_net_mean", "mean", "all"),
        "mean_placebo_gain": summary(known, "placebo_gain", "mean", "all"),
        "mean_delta_micro": summary(micro, "delta_micro", "mean", "all"),
        "counts": {
            "snapshots": micro.height,
            "games": micro["task_id"].n_unique(),
            "per_quadrant": {q: part.height for q, part in quadrants.items()},
        },
        "setting": {**settings.model_dump(), "seed": seed},
    }


def _undefined(part: pl.DataFrame) -> Json:
    """An interval without numbers, which still says how little there was."""
    empty: Json = dict.fromkeys(tables.INTERVAL)
    return empty | {
        "method": "undefined",
        "repetitions": 0,
        "n": part.height,
        "clusters": part["task_id"].n_unique(),
    }


def _median(values: Any) -> float:
    return float(np.median(values))


def _utility_difference(micro: pl.DataFrame, settings: Statistics, seed: int) -> Json:
    part = micro.filter(pl.col("quadrant").is_in(["Q1", "Q2"])).drop_nulls("delta_micro")
    if part["quadrant"].n_unique() < 2:
        return _undefined(part) | {"p_value": None}
    interval, p_value, _ = stats.group_contrast(
        part["delta_micro"].to_numpy(),
        part["quadrant"].to_list(),
        part["task_id"].to_list(),
        {"Q1": 1.0, "Q2": -1.0},
        seed=seeds.integer(seed, "cpt utility"),
        level=settings.level,
        repetitions=settings.repetitions,
    )
    return interval.row() | {"p_value": p_value if np.isfinite(p_value) else None}
