"""Concatenate the shards of a table, in the order given, a row group in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ABOUT = {
    "about": "concatenate the shards of a table",
    "inputs": "shards*",
    "outputs": {"table": ()},
    "own": {"schema_name": "str"},
}


def run(shards: Sequence[Path], out: Mapping[str, Path], schema_name: str) -> None:
    schema = getattr(tables, schema_name)
    parts = (part for path in shards for part in tables.batches(path, schema))
    tables.write_batches(parts, out["table"], schema)
