"""Preference pairs: at the prompt of a contrast example, the teacher's command rather than the student's own."""

from __future__ import annotations

import polars as pl

from teachable.terms import cell_name
from teachable.training.errors import SetError


def preference_pairs(examples: pl.DataFrame, labeled: pl.DataFrame, quadrant: str) -> pl.DataFrame:
    """The rows of ``<quadrant>_contrast`` in ``examples`` (``EXAMPLES``), with a column ``rejected``: the command that
    the student took at the snapshot, read from ``labeled`` (``LABELED``).

    Prompts are those of the contrast examples, with and without the patch. An example of a snapshot at which the
    student did what the teacher says, or at which it is not known what it did, prefers nothing: it is left out, so that
    the run may have fewer examples than the cell. Raises :class:`SetError` for a snapshot that has no label.
    """
    rows = examples.filter(pl.col("run") == cell_name(quadrant, "contrast"))
    unknown = rows.filter(~pl.col("snapshot_id").is_in(labeled["snapshot_id"].implode()))["snapshot_id"]
    if len(unknown):
        raise SetError(
            f"Snapshot {unknown[0]!r} is an example of {cell_name(quadrant, 'contrast')} but has no label: make the "
            "training sets again from these labels."
        )
    did = labeled.select("snapshot_id", pl.col("student_action").alias("rejected"))
    joined = rows.join(did, on="snapshot_id", how="left", maintain_order="left")
    return joined.filter(pl.col("rejected").is_not_null() & (pl.col("rejected") != pl.col("completion")))
