"""Ways in which a stage's input may be wrong, each with what has to follow from it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow.parquet as pq
from hypothesis import strategies as st

from teachable import tables
from teachable.tables import values

# same: the result of the sound input, byte for byte. refused: one sentence that names the file, and the column where
# there is one. either: a sentence, or a result that the stage's own schemas allow.
Expected = Literal["same", "refused", "either"]


@dataclass(frozen=True)
class Damage:
    """A file to put in the place of an input."""

    about: str
    content: bytes
    expected: Expected
    column: str = ""


@st.composite
def of_bytes(draw: st.DrawFn, data: bytes) -> Damage:
    """Bytes cut off, changed, moved or put in the place of the file. What is read of it must be what was written."""
    at = draw(st.integers(0, len(data) - 1))
    kind = draw(st.sampled_from(["cut", "flip", "flip", "zeros", "other", "tail", "splice"]))
    if kind == "cut":
        return Damage(f"cut at {at} of {len(data)}", data[:at], "refused")
    if kind == "tail":
        return Damage("bytes behind it", data + draw(st.binary(min_size=1, max_size=30)), "either")
    if kind == "other":
        others = [
            b"",
            b"\x00" * 64,
            b"PAR1",
            b"PAR1" * 4,
            b"a,b\n1,2\n",
            b"{}",
            b"[]",
            b"\xff\xfe",
            b"<html></html>",
            b"null",
        ]
        content = draw(st.one_of(st.sampled_from(others), st.binary(max_size=50)))
        return Damage(f"another file, {content[:8]!r}", content, "refused")
    changed = bytearray(data)
    if kind == "flip":
        bit = draw(st.integers(0, 7))
        changed[at] ^= 1 << bit
        return Damage(f"bit {bit} of byte {at} of {len(data)}", bytes(changed), "either")
    if kind == "zeros":
        changed[at : at + 32] = bytes(len(changed[at : at + 32]))
        return Damage(f"zeros from byte {at}", bytes(changed), "either")
    other = draw(st.integers(0, len(data) - 1))
    return Damage(f"byte {at} on follow those from {other}", data[:at] + data[other:], "either")


OTHER_TYPES = (
    pl.String,
    pl.Int64,
    pl.Float32,
    pl.Boolean,
    pl.Binary,
    pl.Date,
    pl.List(pl.String),
    pl.Int8,
    pl.Categorical,
)


@st.composite
def of_table(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    """A table that is well-formed Parquet and is not what the schema promises, or just about is."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    return KINDS[kind](draw, frame, schema)


def _column(draw: st.DrawFn, schema: tables.Table, fits: Callable[[tables.Column], bool]) -> str | None:
    found = [name for name, what in schema.columns.items() if fits(what)]
    return draw(st.sampled_from(found)) if found else None


def _parquet(frame: pl.DataFrame) -> bytes:
    import io

    made = io.BytesIO()
    frame.write_parquet(made)
    return made.getvalue()


def _with(frame: pl.DataFrame, column: str, row: int, value: Any, dtype: Any) -> pl.DataFrame:
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=dtype, strict=False))


def _row(draw: st.DrawFn, frame: pl.DataFrame) -> int:
    return draw(st.integers(0, frame.height - 1))


def _less(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column = draw(st.sampled_from(list(schema)))
    return Damage(f"no column {column}", _parquet(frame.drop(column)), "refused", column)


def _more(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    name = draw(st.sampled_from(["more", "", "snapshot id", "ä", next(iter(schema)).upper()]))
    return Damage(f"a column {name!r} more", _parquet(frame.with_columns(pl.lit(1).alias(name))), "refused")


def _renamed(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column = draw(st.sampled_from(list(schema)))
    return Damage(f"{column} is called x", _parquet(frame.rename({column: "x"})), "refused", column)


def _typed(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column, dtype = draw(st.sampled_from(list(schema))), draw(st.sampled_from(OTHER_TYPES))
    try:
        other = frame.with_columns(pl.col(column).cast(dtype, strict=True))
    except (pl.exceptions.PolarsError, TypeError):
        other = frame.with_columns(pl.lit(None, dtype=dtype).alias(column))
    return Damage(f"{column} as {dtype}", _parquet(other), "either", column)


def _null(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column = _column(draw, schema, lambda what: True)
    assert column is not None
    what = schema.columns[column]
    everywhere = draw(st.booleans())
    if everywhere:
        other = frame.with_columns(pl.lit(None, dtype=what.dtype).alias(column))
    else:
        other = _with(frame, column, _row(draw, frame), None, what.dtype)
    return Damage(f"null in {column}", _parquet(other), "either" if what.null else "refused", column)


def _not_a_number(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column = _column(draw, schema, lambda what: what.dtype in (pl.Float64, tables.REALS, pl.List(pl.Float32)))
    if column is None:
        return _null(draw, frame, schema)
    what = schema.columns[column]
    number = draw(st.sampled_from([float("nan"), float("inf"), -float("inf")]))
    row = _row(draw, frame)
    value: Any = number
    if isinstance(what.dtype, pl.List):
        value = [*(frame[column].to_list()[row] or []), number]
    expected: Expected = "refused" if math.isnan(number) or what.unit not in values.ENDLESS else "either"
    return Damage(f"{number} in {column}", _parquet(_with(frame, column, row, value, what.dtype)), expected, column)


def _out_of_range(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column = _column(draw, schema, lambda what: what.low is not None or what.high is not None)
    if column is None:
        return _null(draw, frame, schema)
    what = schema.columns[column]
    beyond = [what.low - 1] if what.low is not None else []
    beyond += [what.high + 1] if what.high is not None else []
    number = draw(st.sampled_from(beyond))
    number = int(number) if what.dtype.is_integer() else number
    row = _row(draw, frame)
    value: Any = [*(frame[column].to_list()[row] or []), number] if isinstance(what.dtype, pl.List) else number
    return Damage(f"{number} in {column}", _parquet(_with(frame, column, row, value, what.dtype)), "refused", column)


def _other_word(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column = _column(draw, schema, lambda what: bool(what.among))
    if column is None:
        return _null(draw, frame, schema)
    word = draw(st.sampled_from(["", "Q5", "none ", schema.columns[column].among[0].upper() + "x", "\0", "$x$ & <b>"]))
    made = _with(frame, column, _row(draw, frame), word, pl.String)
    return Damage(f"{word!r} in {column}", _parquet(made), "refused", column)


def _twice(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    row = _row(draw, frame)
    made = pl.concat([frame, frame.slice(row, 1)] if draw(st.booleans()) else [frame, frame])
    return Damage("rows twice", _parquet(made), "refused" if schema.key else "either")


def _rows(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    """Fewer rows are a smaller study, and may be one that nothing can be said of."""
    kept = draw(st.sets(st.integers(0, frame.height - 1), max_size=frame.height))
    return Damage(f"{len(kept)} of {frame.height} rows", _parquet(frame[sorted(kept)]), "either")


def _empty(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    return Damage("no rows", _parquet(frame.clear()), "either")


def _columns_moved(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    return Damage("columns in another order", _parquet(frame.select(draw(st.permutations(frame.columns)))), "same")


def _another_name(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    """A text that the schema allows and that names nothing there is, or is hostile."""
    column = _column(draw, schema, lambda what: what.dtype == pl.String and not what.among)
    if column is None:
        return _empty(draw, frame, schema)
    odd = [
        "",
        "nothing",
        "../../x",
        "a\nb",
        "\0",
        "$\\frac$",
        "<script>",
        "=1+1",
        "x" * 5000,
        "ä💥",
        "null",
        "base",
        "Q1_demo",
    ]
    word = draw(st.sampled_from(odd))
    return Damage(
        f"{word[:20]!r} in {column}",
        _parquet(_with(frame, column, _row(draw, frame), word, pl.String)),
        "either",
        column,
    )


def _another_list(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    """A list of other length or members than those beside it."""
    column = _column(draw, schema, lambda what: isinstance(what.dtype, pl.List))
    if column is None:
        return _another_name(draw, frame, schema)
    row = _row(draw, frame)
    values = frame[column].to_list()
    old = values[row] or []
    value = draw(st.sampled_from([[], [*old, *old[:1]], old[:-1], old[::-1]]))
    values[row] = value
    made = frame.with_columns(pl.Series(column, values, dtype=schema.columns[column].dtype))
    return Damage(f"{column} of {len(value)} members", _parquet(made), "either", column)


def _extreme(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    """A number at the ends of what the schema allows."""
    column = _column(draw, schema, lambda what: what.dtype in (pl.Int64, pl.Float64))
    if column is None:
        return _empty(draw, frame, schema)
    what = schema.columns[column]
    ends = [0, 1, -1, 2**31, 2**62] if what.dtype == pl.Int64 else [0.0, 1.0, -1.0, 1e-300, 1e300, -1e300]
    ends += [end for end in (what.low, what.high) if end is not None]
    allowed = [e for e in ends if (what.low is None or e >= what.low) and (what.high is None or e <= what.high)]
    number = draw(st.sampled_from(allowed))
    number = int(number) if what.dtype == pl.Int64 else float(number)
    return Damage(
        f"{number} in {column}", _parquet(_with(frame, column, _row(draw, frame), number, what.dtype)), "either", column
    )


def _boolean(draw: st.DrawFn, frame: pl.DataFrame, schema: tables.Table) -> Damage:
    column = _column(draw, schema, lambda what: what.dtype == pl.Boolean)
    if column is None:
        return _extreme(draw, frame, schema)
    return Damage(f"{column} the other way", _parquet(frame.with_columns(~pl.col(column))), "either", column)


KINDS: Mapping[str, Callable[[st.DrawFn, pl.DataFrame, tables.Table], Damage]] = {
    "no column": _less,
    "more columns": _more,
    "renamed": _renamed,
    "type": _typed,
    "null": _null,
    "nan": _not_a_number,
    "range": _out_of_range,
    "word": _other_word,
    "twice": _twice,
    "rows": _rows,
    "empty": _empty,
    "order": _columns_moved,
    "name": _another_name,
    "list": _another_list,
    "extreme": _extreme,
    "boolean": _boolean,
}


@st.composite
def of_json(draw: st.DrawFn, data: bytes) -> Damage:
    """A JSON document with another value somewhere, or less of it."""
    value = json.loads(data)
    places = _places(value)
    odd = st.sampled_from([None, True, -1, 0, 1e300, "", "x", [], {}, [1], {"a": 1}, "../x", "\ud83d", 2**70])
    if not places or draw(st.integers(0, 9)) == 0:
        return Damage("another value", json.dumps(draw(odd)).encode(), "either")
    *path, last = draw(st.sampled_from(places))
    inside = value
    for key in path:
        inside = inside[key]
    gone = draw(st.booleans()) and isinstance(inside, dict)
    if gone:
        del inside[last]
        about = f"without {last}"
    else:
        inside[last] = draw(odd)
        about = f"{last} is {inside[last]!r}"
    return Damage(about, json.dumps(value).encode(), "either")


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, ...]] = []
    for key, inner in pairs:
        found += [(*path, key), *_places(inner, (*path, key))]
    return found


def read(path: Path) -> pl.DataFrame:
    """The rows of a table as they lie there."""
    return pl.DataFrame(pl.from_arrow(pq.read_table(path)))
