"""From a registry entry to the files of a table: make it and typeset it, without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from teachable.paper import items
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
    """The columns of table ``item`` that are printed, in order, with their headings."""
    return dict(items.module("tables", item).HEADINGS)


def save_table(
    frame: pl.DataFrame,
    heads: Mapping[str, str],
    tex: Path | str,
    csv: Path | str,
    *,
    caption: str,
    label: str,
) -> None:
    """Write LaTeX (booktabs; formatted) and CSV (every column, full precision), each atomically."""
    write_bytes(frame.write_csv().encode(), csv)
    write_bytes(latex(frame, heads, caption=caption, label=label).encode(), tex)


def cells(frame: pl.DataFrame, heads: Mapping[str, str]) -> list[list[str]]:
    """The printed rows. A column with companions ``<name>_low`` and ``<name>_high`` becomes ``0.12 [0.05, 0.20]``.

    Numbers have two decimals, p-values three (below 0.001 said so); null is an en dash.
    """
    missing = [column for column in heads if column not in frame.columns]
    if missing:
        raise PaperError(f"The table has headings for columns that it lacks: {missing}.")
    return [[_cell(row, column) for column in heads] for row in frame.iter_rows(named=True)]


def latex(frame: pl.DataFrame, heads: Mapping[str, str], *, caption: str, label: str) -> str:
    """A floating booktabs table; needs ``\\usepackage{booktabs}`` only."""
    numeric = {column: frame.schema[column].is_numeric() for column in heads}
    spec = "".join("r" if numeric[column] else "l" for column in heads)
    lines = [
        r"\begin{table}[t]",
        r"\centering\small",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        r"\toprule",
        " & ".join(escape(title) for title in heads.values()) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(escape(cell) for cell in row) + r" \\" for row in cells(frame, heads)]
    if frame.is_empty():
        lines.append(rf"\multicolumn{{{len(heads)}}}{{l}}{{No estimate is defined on these data.}} \\")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREEK CAPITAL LETTER DELTA}": r"$\Delta$",
    "\N{GREEK SMALL LETTER RHO}": r"$\rho$",
    "\N{SUPERSCRIPT TWO}": "$^2$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{EN DASH}": "--",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
}


def escape(text: str) -> str:
    """``text`` for LaTeX: special characters and the few symbols used here; line breaks become spaces."""
    return "".join(_ESCAPES.get(character, character) for character in " ".join(text.split()))


def _cell(row: Mapping[str, object], column: str) -> str:
    value = row[column]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if column.startswith(("p_value", "p_holm")):
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    if isinstance(low, float) and isinstance(high, float) and not (math.isnan(low) or math.isnan(high)):
        return f"{number(value)} [{number(low)}, {number(high)}]"
    return number(value, 4 if 0 < abs(value) < 0.005 else 2)
