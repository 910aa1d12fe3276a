"""Intervals of the labels: the stored numbers behind the figures of H1 and the placebo control.

Figures never compute an interval, so a stage runs this once over the labelled snapshots and stores the result
(schema ``METRICS``, model ``base``, panel ``labeled``). Games are the independent units.

Groups: ``all``; ``winnable`` (p_expert >= 0.5: the expert can still win); the quadrants; the families;
``d_expert=<bin>``, the depth of recovery; ``distance=<n>``, decisions back from the deciding one (1 is itself);
``high_L_minus_low_L``, the prespecified contrast of H1 (mean of Q1 and Q4 snapshots minus mean of Q2 and Q3), and
``high_U_minus_low_U`` (Q1 and Q2 minus Q3 and Q4). Quadrants are cut by L_local itself, so even noise alone makes its
means differ; ``L_local_regressed`` is L_local drawn to the mean by its reliability, ``1 - mean(se^2) / variance``
(Kelley 1947; regression to the mean), and its contrast is what is left without the noise. Metrics:
``already_right``, the share of snapshots whose likeliest command is the one that the teacher suggests; means of the
labels under their column names, ``net_mean`` (mean of the three formats' net gains), ``share_route_<format>``,
``share_profile_<profile>``, and ``spearman:<x>:<y>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from teachable import stats, tables
from teachable.seeds import integer
from teachable.terms import FORMATS, QUADRANTS

MEANS = (
    "U",
    "L_local",
    "L_upper",
    "gap",
    "p_policy",
    "p_force",
    "p_expert",
    "ELP_net",
    "ELP_raw",
    "ELP_net_debiased",
    "placebo_gain",
    *(f"raw_{f}" for f in FORMATS),
    *(f"net_{f}" for f in FORMATS),
    "net_mean",
    "already_right",
)
PROFILES = ("A_bottleneck", "B_trajectory", "C_deadend", "mixed")
PAIRS = (
    ("U", "ELP_net"),
    ("L_local", "ELP_net"),
    ("L_upper", "ELP_net"),
    ("U", "L_local"),
    ("U", "L_upper"),
    ("L_local", "L_upper"),
)
CONTRAST = "high_L_minus_low_L"
REGRESSED = "L_local_regressed"
SIDES = {  # contrast: (quadrants of the high side, metrics)
    CONTRAST: (("Q1", "Q4"), ("ELP_net", "ELP_net_debiased", "net_mean", "L_local", REGRESSED)),
    "high_U_minus_low_U": (("Q1", "Q2"), ("U",)),
}
WINNABLE = 0.5
"""Probability of the expert's success from which a snapshot counts as still to be won (as in recovery depth)."""


def label_metrics(
    labeled: pl.DataFrame, *, seed: int, repetitions: int = stats.REPETITIONS, level: float = 0.95
) -> pl.DataFrame:
    """The table described above from the table LABELED; snapshots without a quadrant count nowhere.

    A group in which a metric has no value gets no row; without any quadrant there is none at all.
    """
    rows = (
        labeled.drop_nulls("quadrant")
        .sort("snapshot_id")
        .with_columns(
            net_mean=sum((pl.col(f"net_{f}") for f in FORMATS), pl.lit(0.0)) / len(FORMATS),
            already_right=(
                pl.col("commands").list.get(pl.col("logp").list.arg_max(), null_on_oob=True)
                == pl.col("suggested_action")
            ).cast(pl.Float64),
            **{REGRESSED: _regressed(labeled.drop_nulls("quadrant").sort("snapshot_id"))},
            **{f"share_route_{f}": (pl.col("route") == f).cast(pl.Float64) for f in FORMATS},
            **{f"share_profile_{p}": (pl.col("profile") == p).cast(pl.Float64) for p in PROFILES},
        )
    )
    shares = (*(f"share_route_{f}" for f in FORMATS), *(f"share_profile_{p}" for p in PROFILES))
    made: list[dict[str, Any]] = []

    def add(group: str, metric: str, value: stats.Interval) -> None:
        made.append({"model": "base", "panel": "labeled", "group": group, "metric": metric, **value.row()})

    options: Any = {"level": level, "repetitions": repetitions}
    for group, part in _groups(rows):
        for metric in (*MEANS, *shares):
            known = part.drop_nulls(metric)
            if len(known):
                add(
                    group,
                    metric,
                    stats.cluster_bootstrap(
                        known[metric],
                        known["task_id"],
                        seed=integer(seed, "label_metrics", group, metric),
                        **options,
                    ),
                )
        for x, y in PAIRS:
            known = part.drop_nulls([x, y])
            if len(known) > 2:
                metric = f"spearman:{x}:{y}"
                value = stats.correlation(
                    known[x],
                    known[y],
                    known["task_id"],
                    kind="spearman",
                    seed=integer(seed, "label_metrics", group, metric),
                    **options,
                )
                if value.row()["point"] is not None:
                    add(group, metric, value)
    for contrast, metric, high in ((name, m, side) for name, (side, asked) in SIDES.items() for m in asked):
        known = rows.drop_nulls(metric).with_columns(
            side=pl.when(pl.col("quadrant").is_in(high)).then(pl.lit("high")).otherwise(pl.lit("low"))
        )
        if known["side"].n_unique() == 2:
            value, _, _ = stats.group_contrast(
                known[metric],
                known["side"],
                known["task_id"],
                {"high": 1.0, "low": -1.0},
                seed=integer(seed, "label_metrics", contrast, metric),
                **options,
            )
            add(contrast, metric, value)
    return tables.conform(pl.DataFrame(made, schema=dict(tables.METRICS)), tables.METRICS, "label_metrics")


def _regressed(rows: pl.DataFrame) -> pl.Expr:
    """L_local drawn to its mean over ``rows`` by its reliability; as it is where no error is stored."""
    variance, noise = rows["L_local"].var(), (rows["L_local_se"] ** 2).mean()
    kept = 1.0
    if isinstance(variance, float) and isinstance(noise, float) and variance > 0:
        kept = max(0.0, 1.0 - noise / variance)
    mean = rows["L_local"].mean()
    return mean + kept * (pl.col("L_local") - mean)


def _groups(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    yield "all", rows
    yield "winnable", rows.filter(pl.col("p_expert") >= WINNABLE)
    for quadrant in QUADRANTS:
        yield quadrant, rows.filter(pl.col("quadrant") == quadrant)
    for family in sorted(rows["family"].drop_nulls().unique()):
        yield family, rows.filter(pl.col("family") == family)
    for depth in sorted(rows["d_expert_bin"].drop_nulls().unique()):
        yield f"d_expert={depth}", rows.filter(pl.col("d_expert_bin") == depth)
    for distance in sorted(rows["distance"].drop_nulls().unique()):
        yield f"distance={distance}", rows.filter(pl.col("distance") == distance)
