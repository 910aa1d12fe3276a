"""Values that a table may hold, for rows of which a test says only what it is about."""

from __future__ import annotations

from typing import Any

import polars as pl

from teachable import tables


def anything(what: tables.Column) -> Any:
    """Some value that the column may hold: null where it may be, else the first word, nothing, or the lowest number."""
    if what.null:
        return None
    if isinstance(what.dtype, pl.List):
        return []
    if what.dtype == tables.TEXT:
        return what.among[0] if what.among else ""
    if what.dtype == tables.FLAG:
        return False
    ends = [end for end in (what.low, what.high) if end is not None]
    return what.dtype.to_python()(ends[0] if ends else 0)


def allowed(value: Any, what: tables.Column) -> Any:
    """A made-up value moved into the bounds of its column; anything that may stand there for None."""
    if value is None:
        return anything(what)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = value if what.low is None else max(value, what.low)
        value = value if what.high is None else min(value, what.high)
    return value


def rows(schema: tables.Table, *given: dict[str, Any]) -> pl.DataFrame:
    """A table of ``schema`` with the rows ``given``; what they do not say is :func:`anything`."""
    filled = [{name: allowed(row.get(name), what) for name, what in schema.columns.items()} for row in given]
    return pl.DataFrame(filled, schema=dict(schema))
