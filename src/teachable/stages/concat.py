"""Concatenate the shards of a table, in the order given, a row group in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables

if TYPE_CHECKING:
    from teachable.stages.params import Concat
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Concat) -> None:
    schema = getattr(tables, params.schema_name)
    parts = (part for path in inputs["shards"] for part in tables.batches(path, schema))
    tables.write_batches(parts, outputs["table"], schema)
