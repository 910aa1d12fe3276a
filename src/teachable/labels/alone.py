"""Each label by itself: the same columns as in the labelled table, from no more than that label needs."""

from __future__ import annotations

import polars as pl

from teachable import tables
from teachable.labels.depth import recovery_depth
from teachable.labels.estimated import check_unique, wide
from teachable.labels.leverage import with_leverage
from teachable.labels.measures import measures
from teachable.labels.patch_test import with_patch_test
from teachable.terms import QUANTITIES


def uncertainty_alone(snapshots: pl.DataFrame, *, measure: str, topk: int) -> pl.DataFrame:
    """UNCERTAINTY, one row for each of ``snapshots`` (SNAPSHOTS, of either source and kind), sorted by id.

    ``measure`` (a name of ``tables.MEASURES``) is ``U``, ``topk`` the k of the top-k spread. Raises TableError for
    snapshots that are there twice, ValueError for a distribution that is none (:func:`~.measures.uncertainty`).
    """
    check_unique(snapshots, ["snapshot_id"], "snapshots")
    found = snapshots.join(measures(snapshots, topk), on="snapshot_id").with_columns(U=pl.col(measure))
    return _as(found, tables.UNCERTAINTY, "uncertainty")


def leverage_alone(snapshots: pl.DataFrame, estimates: pl.DataFrame) -> pl.DataFrame:
    """LEVERAGE, one row for each of ``snapshots`` (SNAPSHOTS) that ``estimates`` (ESTIMATES) has something of, sorted
    by id: of the student's failures and of the expert's (setup B, ``source``), and of interval snapshots, which serve
    recovery depth.

    Raises TableError as :func:`~.estimated.wide` does.
    """
    check_unique(snapshots, ["snapshot_id"], "snapshots")
    found = with_leverage(snapshots.join(_counted(estimates), on="snapshot_id"))
    points = found.select("snapshot_id", "episode_id", "step", "p_expert", "p_force")
    return _as(found.join(recovery_depth(points), on="snapshot_id"), tables.LEVERAGE, "leverage")


def patch_test_alone(snapshots: pl.DataFrame, estimates: pl.DataFrame, *, tie_margin: float = 0.01) -> pl.DataFrame:
    """PATCH_TEST, one row for each of ``snapshots`` (SNAPSHOTS) that ``estimates`` (ESTIMATES) has something of, sorted
    by id. ``tie_margin``: as of :func:`~.patch_test.with_patch_test`.

    Raises TableError as :func:`~.estimated.wide` does.
    """
    check_unique(snapshots, ["snapshot_id"], "snapshots")
    found = with_patch_test(snapshots.join(_counted(estimates), on="snapshot_id"), tie_margin=tie_margin)
    return _as(found, tables.PATCH_TEST, "patch test")


def _counted(estimates: pl.DataFrame) -> pl.DataFrame:
    """:func:`~.estimated.wide`, and ``p_*_n``, the episodes behind each."""
    counts = estimates.group_by("snapshot_id", maintain_order=True).agg(
        pl.col("n").filter(pl.col("quantity") == f"p_{q}").first().alias(f"p_{q}_n") for q in QUANTITIES
    )
    return wide(estimates).join(counts, on="snapshot_id")


def _as(frame: pl.DataFrame, schema: tables.Table, name: str) -> pl.DataFrame:
    return tables.conform(frame.sort("snapshot_id").select(list(schema)), schema, name)
