"""What every step of every training cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from teachable import tables


def training_losses(records: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """``LOSSES`` from the records of any trainings; one that was not trained, for want of examples, has no row."""
    rows = [
        {"run": record["run"], "train_seed": record["train_seed"], "step": step, "loss": loss}
        for record in records
        for step, loss in enumerate(record.get("losses", ()), 1)
    ]
    made = pl.DataFrame(rows, schema=dict(tables.LOSSES)).sort("run", "train_seed", "step")
    return tables.conform(made, tables.LOSSES, "losses")
