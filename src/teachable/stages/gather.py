"""Concatenate the shards of a table, in the order given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables

if TYPE_CHECKING:
    from teachable.stages.params import Gather
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Gather) -> None:
    schema = getattr(tables, params.schema_name)
    frames = [tables.read(path, schema) for path in inputs["shards"]]
    tables.write(pl.concat(frames) if frames else tables.empty(schema), outputs["table"], schema)
