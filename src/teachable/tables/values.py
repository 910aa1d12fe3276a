"""Whether the values of a table may be: types, nulls, ranges, words, and rows that are there once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from teachable.errors import TableError
from teachable.tables.schema import Column, Schema, Table

_ROUNDING = 1e-6  # sums of probabilities in floating point end a little above 1
ENDLESS = ("nats", "nats a word", "of the method")  # log-probability of the impossible, score of the never chosen
_REMEDY = "Mend what made it; where the workflow did, delete it and run the workflow again."


def cast(frame: pl.DataFrame, schema: Schema, name: str) -> pl.DataFrame:
    """``frame``, which has the schema's columns, with its types and in its order.

    Numbers become numbers of another type and columns of nulls become anything, where no value changes: 1.5 is no
    whole number. Raises :class:`TableError`, naming ``name`` and the column, otherwise.
    """
    for column, dtype in schema.items():
        found = frame.schema[column]
        if not _becomes(found, dtype):
            raise TableError(
                f"{name}: column {column} has the wrong type: {found}, where {dtype} is expected. {_REMEDY}"
            )
        if dtype.is_integer() and found.is_float():
            _refuse(frame, column, pl.col(column) != pl.col(column).floor(), "a whole number", name)
    try:
        return frame.select([pl.col(column).cast(dtype, strict=True) for column, dtype in schema.items()])
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{name}: a column has the wrong type: {error} {_REMEDY}") from error


def _becomes(found: Any, wanted: Any) -> bool:
    if found in (wanted, pl.Null):
        return True
    if isinstance(found, pl.List) and isinstance(wanted, pl.List):
        return _becomes(found.inner, wanted.inner)
    return bool(found.is_numeric() and wanted.is_numeric())


def check(frame: pl.DataFrame, schema: Schema, name: str) -> None:
    """Raise :class:`TableError`, naming ``name``, the column, the row and the value, unless all values may be.

    NaN is refused everywhere, infinity but for log-probabilities and scores. The rest a :class:`Table` says: which
    columns may be null, their bounds and words, and which columns together name a row.
    """
    for column, dtype in schema.items():
        what = schema.columns[column] if isinstance(schema, Table) else Column(dtype)
        for wrong, expected in _wrong(pl.col(column), what):
            _refuse(frame, column, wrong, expected, name)
    if isinstance(schema, Table) and schema.key:
        twice = frame.select(schema.key).is_duplicated()
        if twice.any():
            row = frame.row(twice.to_list().index(True), named=True)
            named = ", ".join(f"{column} {row[column]!r}" for column in schema.key)
            raise TableError(f"{name}: {twice.sum()} rows are not the only ones of their kind, e.g. {named}. {_REMEDY}")


def _wrong(value: pl.Expr, what: Column) -> Iterator[tuple[pl.Expr, str]]:
    """What may not be in a column, as conditions on ``value``, and what is expected instead."""
    inner = what.dtype.inner if isinstance(what.dtype, pl.List) else what.dtype

    def some(test: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
        """Whether a value, or any member of a list, passes the test."""
        return value.list.eval(test(pl.element())).list.any() if isinstance(what.dtype, pl.List) else test(value)

    if inner.is_float():
        yield some(lambda one: one.is_nan()), "a number"
        if what.unit not in ENDLESS:
            yield some(lambda one: one.is_infinite()), "a finite number"
    if not what.null:
        yield value.is_null(), "a value"
    if what.among:
        yield ~value.is_in(list(what.among)), f"one of {', '.join(what.among)}"
    low, high = what.low, what.high
    ends = [f"{low:g} or more"] if low is not None else []
    ends += [f"{high:g} or less"] if high is not None else []
    if low is not None:
        yield some(lambda one: one < low - _ROUNDING), " and ".join(ends)
    if high is not None:
        yield some(lambda one: one > high + _ROUNDING), " and ".join(ends)


def _refuse(frame: pl.DataFrame, column: str, wrong: pl.Expr, expected: str, name: str) -> None:
    """Raise :class:`TableError` for the first row in which ``wrong`` holds."""
    rows = frame.select(wrong.fill_null(value=False).arg_true()).to_series()
    if rows.len():
        index = int(rows[0])
        value = frame[column][index]
        said = repr(value.to_list() if isinstance(value, pl.Series) else value)
        others = f", as in {rows.len() - 1} more rows" if rows.len() > 1 else ""
        raise TableError(
            f"{name}: column {column} holds {said[:80]} in row {index + 1}{others}, where {expected} is expected. "
            f"{_REMEDY}"
        )
