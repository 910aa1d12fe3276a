"""From a registry entry to files: draw a figure, make a table, and save each in both its formats.

Bytes are reproducible: no dates or library versions in the metadata, fonts embedded as TrueType subsets,
files written to a temporary name and renamed.
"""

from __future__ import annotations

import io
import math
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from teachable.paper import items, style
from teachable.paper.inputs import Data, PaperError, Undefined, number

DPI = 220  # of the PNG; the PDF is vector


def draw(item: str, data: Data) -> Figure:
    """The figure ``item`` (for example ``h1_1``) from its inputs. Raises PaperError where an input is missing."""
    with style.theme():
        try:
            drawn: Figure = items.module("figures", item).draw(data)
        except Undefined as error:
            drawn = _undefined(str(error))
    return drawn


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


def figure_bytes(figure: Figure, *, dpi: int = DPI, formats: tuple[str, ...] = ("pdf", "png")) -> dict[str, bytes]:
    """The figure in each format. The same figure gives the same bytes."""
    metadata: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    made = {}
    with style.theme():
        for kind in formats:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata[kind])
            made[kind] = buffer.getvalue()
    return made


def save_figure(figure: Figure, pdf: Path | str, png: Path | str, *, dpi: int = DPI) -> None:
    """Write both formats, each atomically."""
    made = figure_bytes(figure, dpi=dpi)
    _write(Path(pdf), made["pdf"])
    _write(Path(png), made["png"])


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
    _write(Path(csv), frame.write_csv().encode())
    _write(Path(tex), latex(frame, heads, caption=caption, label=label).encode())


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


def _undefined(reason: str) -> Figure:
    """In place of a picture: that every stored estimate is undefined, and which."""
    drawn, axes = style.single(style.COLUMN, 1.4)
    axes.set_axis_off()
    axes.text(0, 0.9, "Not defined on these data", fontweight="bold", fontsize=8, va="top", transform=axes.transAxes)
    axes.text(
        0,
        0.68,
        textwrap.fill(reason, 66),
        fontsize=5.8,
        va="top",
        color=style.MUTED,
        parse_math=False,
        transform=axes.transAxes,
    )
    return drawn


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
