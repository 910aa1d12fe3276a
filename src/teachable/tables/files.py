"""Tables on disk: an atomic write and a validated read, whole or by row group.

A table is written to a temporary name and renamed, so a reader never meets half a file. A read checks the
file against its schema and raises :class:`~teachable.errors.TableError` with the file, the column and the
remedy. Units, meanings and what made the table lie in Parquet's own metadata, where any reader finds them; nothing
there changes between equal runs, so that equal rows are equal bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from teachable.errors import MissingInput, MissingRow, TableError
from teachable.tables import values
from teachable.tables.schema import Column, Schema, Table
from teachable.version import __version__

ROW_GROUP = 16_384
"""Rows of a row group: what is in memory at a time where a table is read or written by row group."""

_STAGE: ContextVar[str] = ContextVar("stage", default="")


@contextmanager
def made_by(stage: str) -> Iterator[None]:
    """Tables written inside name ``stage`` as what made them."""
    token = _STAGE.set(stage)
    try:
        yield
    finally:
        _STAGE.reset(token)


@dataclass(frozen=True, slots=True)
class Description:
    """What a Parquet file says of itself; texts are empty where it was not written by :func:`write`."""

    table: str  # name in teachable.tables
    about: str
    schema: str  # Table.version at the time of writing
    program: str  # version of this package
    stage: str
    rows: int
    row_groups: int
    columns: dict[str, Column]  # types as Arrow names them


def describe(path: Path | str) -> Description:
    """Units, meanings and provenance of the table at ``path``, from the file alone; the errors of :func:`read`."""
    path = _there(path)
    try:
        file = pq.read_metadata(path)
        schema = file.schema.to_arrow_schema()
        said, own = _texts(schema.metadata), {field.name: _texts(field.metadata) for field in schema}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    columns = {
        field.name: Column(str(field.type), own[field.name].get("description", ""), own[field.name].get("unit", ""))
        for field in schema
    }
    names = ("table", "about", "schema", "program", "stage")
    texts = {name: said.get(f"teachable.{name}", "") for name in names}
    return Description(**texts, rows=file.num_rows, row_groups=file.num_row_groups, columns=columns)


def _texts(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (metadata or {}).items()}


class Index(dict[Any, Any]):
    """Rows of a table, or values of it, by what stands in ``column``; :class:`MissingRow` where nothing does."""

    def __init__(self, column: str, pairs: Iterable[tuple[Any, Any]]) -> None:
        super().__init__(pairs)
        self.column = column

    def __missing__(self, key: object) -> Any:
        raise MissingRow(self.column, key)


def index(frame: pl.DataFrame, column: str, value: str | None = None) -> Index:
    """The rows of ``frame`` as dictionaries, or what stands in ``value``, by ``column``; see :class:`Index`."""
    if value is not None:
        return Index(column, frame.select(column, value).iter_rows())
    return Index(column, ((row[column], row) for row in frame.iter_rows(named=True)))


def empty(schema: Schema) -> pl.DataFrame:
    """A frame with the schema's columns and no row."""
    return pl.DataFrame(schema=dict(schema))


def conform(frame: pl.DataFrame, schema: Schema, name: str = "table") -> pl.DataFrame:
    """``frame`` with exactly the schema's columns in the schema's order, each value checked (:mod:`.values`).

    Numbers and all-null columns are cast where nothing is lost; anything else that differs, or a value that may not be,
    raises :class:`TableError` naming the column.
    """
    missing = [column for column in schema if column not in frame.columns]
    extra = [column for column in frame.columns if column not in schema]
    if missing or extra:
        raise TableError(
            f"{name}: missing columns {missing}, unknown columns {extra}. It was made by another version: "
            "delete it and run the workflow again."
        )
    same = values.cast(frame, schema, name)
    values.check(same, schema, name)
    return same


def write(frame: pl.DataFrame, path: Path | str, schema: Schema) -> None:
    """Check ``frame`` against ``schema`` and write it to ``path`` atomically, with reproducible bytes."""
    write_batches([frame], path, schema)


def write_batches(frames: Iterable[pl.DataFrame], path: Path | str, schema: Schema) -> None:
    """:func:`write` of ``frames`` one below the other, with no more than a frame and a row group in memory.

    The bytes are those of one frame: where a frame ends does not show.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    kept = _arrow_schema(schema)
    try:
        with pq.ParquetWriter(temporary, kept, compression="zstd", write_page_checksum=True) as writer:
            for part in _in_row_groups(conform(frame, schema, str(path)) for frame in frames):
                arrow = part.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
                writer.write_table(pa.Table.from_arrays(arrow.columns, schema=kept), row_group_size=ROW_GROUP)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _arrow_schema(schema: Schema) -> pa.Schema:
    plain = empty(schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    if not isinstance(schema, Table):
        return plain
    fields = []
    for field in plain:
        column = schema.columns[field.name]
        said = {"unit": column.unit, "description": column.meaning}
        fields.append(field.with_metadata({key: value for key, value in said.items() if value}))
    own = {"table": schema.name, "about": schema.about, "schema": schema.version, "program": __version__}
    said = own | ({"stage": _STAGE.get()} if _STAGE.get() else {})
    return pa.schema(fields, metadata={f"teachable.{key}": value for key, value in said.items()})


def _in_row_groups(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows of ``frames`` in parts of ``ROW_GROUP``, the last one smaller."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        rows = sum(part.height for part in held)
        if rows >= ROW_GROUP:
            whole, full = pl.concat(held), rows - rows % ROW_GROUP
            for start in range(0, full, ROW_GROUP):
                yield whole.slice(start, ROW_GROUP)
            held = [whole.slice(full)]
    if any(part.height for part in held):
        yield pl.concat(held)


def read(path: Path | str, schema: Schema) -> pl.DataFrame:
    """The table at ``path``, checked against ``schema``.

    Raises :class:`MissingInput` when there is no file and :class:`TableError` when it is torn, of another
    schema, in other units, or holds what may not be: a probability of 7, a row twice.
    """
    path = _there(path)
    _check_units(path, schema)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            frame = pl.from_arrow(file.read())
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    assert isinstance(frame, pl.DataFrame)
    return conform(frame, schema, str(path))


def batches(path: Path | str, schema: Schema) -> Iterator[pl.DataFrame]:
    """The table at ``path`` a row group at a time, each checked as :func:`read` does; at least one frame.

    A row that stands twice is found within a group only.
    """
    path = _there(path)
    _check_units(path, schema)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                part = pl.from_arrow(file.read_row_group(group))
                assert isinstance(part, pl.DataFrame)
                yield conform(part, schema, str(path))
            if not file.num_row_groups:
                yield conform(pl.DataFrame(pl.from_arrow(file.schema_arrow.empty_table())), schema, str(path))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _check_units(path: Path, schema: Schema) -> None:
    if not isinstance(schema, Table):
        return
    for name, found in describe(path).columns.items():
        expected = schema.columns.get(name)
        if expected and found.unit and found.unit != expected.unit:
            raise TableError(
                f"{path}: column {name} is in {found.unit!r} where {expected.unit!r} is expected. It was made by "
                "another version: delete it and run the workflow again."
            )


def _there(path: Path | str) -> Path:
    path = Path(path)
    if not path.exists():
        raise MissingInput(f"{path} is missing: run the stage that makes it, e.g. `snakemake -c 1 {path}`.")
    return path


def _unreadable(path: Path, error: BaseException) -> TableError:
    problem = f"{path} is not a readable Parquet file ({_first_line(error)}): "
    if path.suffix != ".parquet":  # nothing that the workflow made
        return TableError(problem + "give a Parquet table, as `polars.DataFrame.write_parquet` writes it.")
    return TableError(
        problem + "if the workflow made it, delete it and run the workflow again; only this file and what follows from "
        "it will be rebuilt."
    )


class _Document(dict[str, Any]):
    """An object of a JSON file, which names that where a key is asked for that it has not."""

    path: Path

    def __missing__(self, key: str) -> Any:
        raise TableError(
            f"{self.path}: {key!r} is missing. It was made by another version, or is another file: delete it and run "
            "the workflow again."
        )


def write_json(value: Any, path: Path | str) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically. NaN is refused."""
    write_bytes((json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode(), path)


def write_bytes(content: bytes, path: Path | str) -> None:
    """Write ``content`` to ``path``, whole or not at all; directories are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path | str) -> Any:
    """The JSON at ``path``; the same errors as :func:`read`."""
    path = _there(path)

    def no_number(word: str) -> None:
        raise ValueError(f"{word} is no number")

    def document(pairs: list[tuple[str, Any]]) -> _Document:
        made = _Document(pairs)
        made.path = path
        return made

    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=document, parse_constant=no_number)
    except (ValueError, RecursionError, OSError) as error:
        raise TableError(
            f"{path} is not valid JSON ({_first_line(error)}): delete it and run the workflow again."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
