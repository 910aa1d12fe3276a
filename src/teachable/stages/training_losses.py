"""The losses of every training in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.training.losses import training_losses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import polars as pl

ABOUT = {
    "about": "put together the losses of every training",
    "inputs": "records=record*",
    "outputs": {"losses": ("phase5/losses.parquet", "LOSSES", "of the runs of phases 2 and 5, a row a step")},
}


def run(records: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return training_losses(records)
