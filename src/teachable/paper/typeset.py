"""From a registry entry to the files of a table: make it and typeset it, without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import polars as pl

from teachable.paper import items, latex
from teachable.paper.inputs import Data, PaperError, Undefined, number
from teachable.tables import write_bytes


def make(item: str, data: Data) -> pl.DataFrame:
    """The table ``item`` with numeric columns, as it goes to CSV."""
    try:
        made: pl.DataFrame = items.module("tables", item).make(data)
    except Undefined:
        made = pl.DataFrame()
    if not made.width:
        made = pl.DataFrame(schema=dict.fromkeys(headings(item), pl.String))
    return made


def headings(item: str) -> dict[str, str]:
    """The columns of table ``item`` that the report and the appendix show, in order, with their headings."""
    return dict(items.module("tables", item).HEADINGS)


def save_table(
    frame: pl.DataFrame,
    heads: Mapping[str, str],
    files: Mapping[str, Path | str],
    *,
    caption: str,
    label: str,
    printed: Mapping[str, Any],
) -> None:
    """Write ``files``, each atomically: ``tex`` for print (:func:`paper`), ``full`` for the appendix (:func:`appendix`)
    and ``csv``, every column in full precision."""
    write_bytes(frame.write_csv().encode(), files["csv"])
    write_bytes(paper(frame, heads, caption=caption, label=label, printed=printed).encode(), files["tex"])
    write_bytes(appendix(frame, heads, caption=caption, label=f"{label}_full").encode(), files["full"])


def paper(
    frame: pl.DataFrame, heads: Mapping[str, str], *, caption: str, label: str, printed: Mapping[str, Any] | None = None
) -> str:
    """The table as a float of ICML's two-column style, of the rows and columns that ``printed`` names
    (:class:`teachable.paper.registry.Table`). Raises PaperError where it names a column that there is not."""
    asked = dict(printed or {})
    shown, rows = _shown(heads, asked.get("columns", ("*",))), frame
    for column, patterns in asked.get("rows", {}).items():
        if column not in frame.columns:
            raise PaperError(f"The table prints rows by column {column!r}, which it lacks.")
        rows = rows.filter(pl.Series([_matches(value, patterns) for value in rows[column]], dtype=pl.Boolean))
    left_out = ["rows"] * (rows.height < frame.height) + ["columns"] * (len(shown) < len(heads))
    said = [caption, *([asked["note"]] if "rows" in left_out else [])]
    said += [f"All {' and '.join(left_out)} are in the appendix."] if left_out else []
    return latex.floating(
        _columns(rows, shown), wide=asked.get("wide", False), caption=" ".join(said), label=label, rest="the appendix"
    )


def appendix(frame: pl.DataFrame, heads: Mapping[str, str], *, caption: str, label: str) -> str:
    """The table with all its rows and headings, over as many pages as it takes."""
    return latex.long(_columns(frame, heads), caption=caption, label=label)


def cells(frame: pl.DataFrame, heads: Mapping[str, str]) -> list[list[str]]:
    """The rows of the report.

    A column with companions ``<name>_low`` and ``<name>_high`` becomes ``0.12 [0.05, 0.20]``. Numbers have two
    decimals, p-values three (below 0.001 said so); null is an en dash.
    """
    return [[cell.whole for cell in row] for row in _cells(frame, heads)]


def _cells(frame: pl.DataFrame, heads: Mapping[str, str]) -> list[list[latex.Cell]]:
    missing = [column for column in heads if column not in frame.columns]
    if missing:
        raise PaperError(f"The table has headings for columns that it lacks: {missing}.")
    return [[_cell(row, column) for column in heads] for row in frame.iter_rows(named=True)]


def _columns(frame: pl.DataFrame, heads: Mapping[str, str]) -> list[latex.Column]:
    rows = _cells(frame, heads)
    types = {column: frame.schema[column] for column in heads}
    return [
        latex.Column(title, [row[at] for row in rows], types[name].is_numeric(), types[name].is_float())
        for at, (name, title) in enumerate(heads.items())
    ]


def _shown(heads: Mapping[str, str], patterns: Sequence[str]) -> dict[str, str]:
    """The headings that a pattern names, in their order. Raises PaperError for a pattern that names none."""
    for pattern in patterns:
        if not any(fnmatchcase(column, pattern) for column in heads):
            raise PaperError(f"The table prints {pattern!r}, and none of its columns is called so: {', '.join(heads)}.")
    return {column: title for column, title in heads.items() if _matches(column, patterns)}


def _matches(value: object, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(str(value), pattern) for pattern in patterns)


def _cell(row: Mapping[str, object], column: str) -> latex.Cell:
    value = row[column]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return latex.Cell("\N{EN DASH}")
    if isinstance(value, bool):
        return latex.Cell("yes" if value else "no")
    if isinstance(value, int):
        return latex.Cell(f"{value:,}".replace("-", "\N{MINUS SIGN}"))
    if not isinstance(value, float):
        return latex.Cell(str(value))
    if column.startswith(("p_value", "p_holm")):
        return latex.Cell("<0.001" if value < 0.001 else f"{value:.3f}")
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    if isinstance(low, float) and isinstance(high, float) and not (math.isnan(low) or math.isnan(high)):
        return latex.Cell(number(value), f"{number(low)}, {number(high)}")
    return latex.Cell(number(value, 4 if 0 < abs(value) < 0.005 else 2))
