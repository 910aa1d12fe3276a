"""Leverage of a decision and its profile: what one right action, and an expert all the way, would change."""

from __future__ import annotations

import polars as pl

DEADEND_BELOW = 0.3
BOTTLENECK_LOCAL, BOTTLENECK_GAP = 0.3, 0.2
TRAJECTORY_LOCAL, TRAJECTORY_GAP = 0.2, 0.2


def with_leverage(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``L_local, L_local_se, L_upper, L_upper_se, gap, profile``.

    Needs ``p_policy p_force p_expert`` and their ``_se``, and ``force_diff_se expert_diff_se``, the standard
    errors of the differences to ``p_policy`` where the estimator knows them (null: the two are taken as
    independent and variances add). Null probabilities give null leverage and a null profile.
    """
    frame = frame.with_columns(
        L_local=difference("p_force", "p_policy"),
        L_upper=difference("p_expert", "p_policy"),
        L_local_se=pl.coalesce("force_diff_se", _independent("p_force", "p_policy")),
        L_upper_se=pl.coalesce("expert_diff_se", _independent("p_expert", "p_policy")),
    )
    return frame.with_columns(gap=difference("L_upper", "L_local")).with_columns(profile=_profile())


def difference(a: str, b: str) -> pl.Expr:
    """``a - b`` to 12 decimals: 3/7 - 2/7 and 1/7 must not fall on different sides of a threshold."""
    return (pl.col(a) - pl.col(b)).round(12)


def _independent(a: str, b: str) -> pl.Expr:
    return (pl.col(f"{a}_se") ** 2 + pl.col(f"{b}_se") ** 2).sqrt()


def _profile() -> pl.Expr:
    local, upper, gap = pl.col("L_local"), pl.col("L_upper"), pl.col("gap")
    return (
        pl.when(local.is_null() | upper.is_null())
        .then(pl.lit(None, dtype=pl.String))
        .when(upper < DEADEND_BELOW)
        .then(pl.lit("C_deadend"))
        .when((local > BOTTLENECK_LOCAL) & (gap < BOTTLENECK_GAP))
        .then(pl.lit("A_bottleneck"))
        .when((local < TRAJECTORY_LOCAL) & (gap > TRAJECTORY_GAP))
        .then(pl.lit("B_trajectory"))
        .otherwise(pl.lit("mixed"))
    )
