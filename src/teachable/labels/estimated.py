"""Estimates of success as one row a snapshot, and tables whose rows must be there once."""

from __future__ import annotations

import polars as pl

from teachable.errors import TableError
from teachable.terms import FORMATS, QUANTITIES


def check_unique(frame: pl.DataFrame, keys: list[str], name: str) -> None:
    """Raise TableError, naming the table ``name`` and a row, unless ``keys`` name each row."""
    twice = frame.select(keys).filter(pl.struct(keys).is_duplicated())
    if len(twice):
        raise TableError(f"{name}: {keys} is not unique, e.g. {twice.row(0)}; were two runs' files mixed?")


def wide(estimates: pl.DataFrame) -> pl.DataFrame:
    """One row per snapshot of ``estimates`` (ESTIMATES): ``p_*`` and ``p_*_se``, the errors of the differences
    (``net_se_<format>``, ``force_diff_se``, ``expert_diff_se``), ``episodes_<format>`` of Monte Carlo estimates (null
    for trees), and the estimator. What was not estimated is null.

    Raises TableError for unknown quantities and for one that a snapshot has twice.
    """
    known = [f"p_{q}" for q in QUANTITIES]
    unknown = set(estimates["quantity"].unique()) - set(known)
    if unknown:
        raise TableError(f"estimates: unknown quantities {sorted(unknown)}; known are {known}.")
    check_unique(estimates, ["snapshot_id", "quantity"], "estimates")

    def at(quantity: str, column: str) -> pl.Expr:
        return pl.col(column).filter(pl.col("quantity") == f"p_{quantity}").first()

    return estimates.group_by("snapshot_id", maintain_order=True).agg(
        *(at(q, "value").alias(f"p_{q}") for q in QUANTITIES),
        *(at(q, "se").alias(f"p_{q}_se") for q in QUANTITIES),
        *(at(m, "net_se").alias(f"net_se_{m}") for m in FORMATS),
        *(
            pl.col("n")
            .filter((pl.col("quantity") == f"p_{m}") & (pl.col("estimator") == "monte_carlo"))
            .first()
            .alias(f"episodes_{m}")
            for m in FORMATS
        ),
        *(at(q, "net_se").alias(f"{q}_diff_se") for q in ("force", "expert")),
        estimator=pl.col("estimator").first(),
    )
