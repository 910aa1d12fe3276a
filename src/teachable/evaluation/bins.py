"""Bins of ELP that tables and figures group by."""

from __future__ import annotations

import polars as pl

ELP_BINS = ("low", "middle", "high")


def elp_bins(labeled: pl.DataFrame) -> dict[str, str]:
    """The tercile of ``ELP_net`` of every labelled snapshot that has one: low, middle or high.

    Cut at the 1/3 and 2/3 quantiles of the whole labelled set; a value equal to a cut belongs below it.
    """
    known = labeled.select("snapshot_id", "ELP_net").drop_nulls().filter(~pl.col("ELP_net").is_nan())
    if known.is_empty():
        return {}
    lower = known["ELP_net"].quantile(1 / 3, "linear")
    upper = known["ELP_net"].quantile(2 / 3, "linear")
    bins = known.select(
        "snapshot_id",
        pl.when(pl.col("ELP_net") <= lower)
        .then(pl.lit(ELP_BINS[0]))
        .when(pl.col("ELP_net") <= upper)
        .then(pl.lit(ELP_BINS[1]))
        .otherwise(pl.lit(ELP_BINS[2])),
    )
    return dict(bins.iter_rows())
