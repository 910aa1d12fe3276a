"""Every table fits ICML's two columns, by what a real LaTeX says of it: as made, and with the widest of everything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from needed import lacking

from teachable.paper import TABLES, PaperError, latex, typeset

from .test_tables import given

MOST = 2.0  # points by which a box may be too large
SIZES = r"\usepackage[letterpaper,textwidth=6.75in,textheight=9in,columnsep=0.25in]{geometry}"
HEAD = rf"\documentclass[10pt,twocolumn]{{article}}{SIZES}\usepackage{{booktabs,longtable}}\begin{{document}}Text."
SAID = re.compile(
    r"Overfull \\[hv]box \(([\d.]+)pt too (?:wide|high)\)|LaTeX Warning: Float too large for page by ([\d.]+)pt"
)


def too_large(folder: Path, paper: str, full: str = "") -> list[float]:
    """Points by which boxes are too large where ``paper`` stands in two columns and ``full`` in an appendix of one."""
    command = shutil.which("pdflatex")
    if command is None:
        lacking("There is no LaTeX here: apt-get install texlive-latex-base texlive-latex-recommended.")
    source = folder / "page.tex"
    source.write_text(
        f"{HEAD}\n{paper}\n\\clearpage\\onecolumn Appendix.\n{full}\n\\end{{document}}\n", encoding="utf-8"
    )
    environment = {**os.environ, "max_print_line": "10000"}
    for _ in range(2):  # a longtable knows its columns the second time
        line = [command, "-interaction=nonstopmode", "-halt-on-error", source.name]
        done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-3000:]
    log = source.with_suffix(".log").read_text("utf-8", errors="replace")
    return [float(wide or high) for wide, high in SAID.findall(log)]


def both(item: str, frame: pl.DataFrame) -> tuple[str, str]:
    """The table ``item`` for print and for the appendix."""
    heads, entry = typeset.headings(item), TABLES[item]
    asked: dict[str, Any] = {"caption": entry.captioned("a-model/of_another-name"), "label": f"tab:{item}"}
    return typeset.paper(frame, heads, printed=entry.printed, **asked), typeset.appendix(frame, heads, **asked)


def widest(frame: pl.DataFrame, item: str) -> pl.DataFrame:
    """The table with every number as wide as it can be, long texts, and five times as many rows."""
    kept = TABLES[item].printed.get("rows", {})
    ends = tuple(column for column in frame.columns if column.endswith(("_low", "_high")))

    def wide(column: str, kind: pl.DataType) -> pl.Expr:
        old = pl.col(column)
        if kind.is_float():
            return pl.lit(-1.0 if column in ends else -0.0049).alias(column)
        if kind.is_integer():
            return pl.lit(1_234_567).alias(column)
        if kind == pl.String and column not in kept:
            return pl.concat_str(old.fill_null(""), pl.lit(" of_another/longer-kind & 50 %"))
        return old

    return pl.concat([frame.select(wide(name, kind) for name, kind in frame.schema.items())] * 5)


@pytest.mark.parametrize("item", TABLES)
def test_a_table_fits(item: str, data: dict[str, Any], small: dict[str, Any], tmp_path: Path) -> None:
    made = typeset.make(item, given(data, item))
    frames = (made, typeset.make(item, given(small, item)), widest(made, item), made.head(0))
    papers, fulls = zip(*(both(item, frame) for frame in frames), strict=True)
    found = too_large(tmp_path, "\\clearpage\n".join(papers), "\n".join(fulls))
    assert not [points for points in found if points > MOST], f"{found}: {tmp_path / 'page.log'} says where"
    assert r"\tiny" not in "".join((*papers, *fulls))


def test_what_does_not_fit_is_noticed(tmp_path: Path) -> None:
    row = " & ".join(["0.123456"] * 30) + r" \\"
    spec = "r" * 30
    wide = rf"\begin{{table}}[t]\begin{{tabular}}{{{spec}}}{row}\end{{tabular}}\end{{table}}"
    assert max(too_large(tmp_path, wide)) > 100
    assert max(too_large(tmp_path, "", rf"\begin{{longtable}}{{{spec}}}{row}\end{{longtable}}")) > 100
    high = r"\begin{table}[t]\begin{tabular}{r}" + r"1\\" * 90 + r"\end{tabular}\end{table}"
    assert max(too_large(tmp_path, high)) > 100


@pytest.mark.parametrize("item", TABLES)
def test_the_appendix_has_every_row_and_heading_and_print_what_it_states(item: str, data: dict[str, Any]) -> None:
    frame, heads, asked = typeset.make(item, given(data, item)), typeset.headings(item), TABLES[item].printed
    paper, full = both(item, frame)
    texts = [
        [name for name in heads if frame.schema[name] == pl.String and frame[name].n_unique() == frame.height],
        [name for name in heads if frame.schema[name] == pl.String],
    ]
    for name in texts[0] or texts[1][:1]:
        for value in frame[name].drop_nulls().unique():
            assert latex.escape(value) in full
    shown = re.findall(r"All (rows|columns|rows and columns) (?:are|is) in the appendix", paper)
    assert bool(shown) == bool({"rows", "columns"} & set(asked)), "what is left out is said"
    if "rows" in asked:
        assert latex.escape(asked["note"]) in paper
        assert len(rows_of(paper)) < len(rows_of(full)) == frame.height
    else:
        assert len(rows_of(paper)) >= min(frame.height, 5)


def rows_of(text: str) -> list[str]:
    """The lines of a table's first part that are rows."""
    start = text.index(r"\endfoot") if r"\endfoot" in text else text.index(r"\midrule")
    end = min(
        text.index(mark, start + 10) for mark in (r"\bottomrule", r"\end{longtable}") if mark in text[start + 10 :]
    )
    return [line for line in text[start:end].splitlines() if line.endswith((r"\\", r"\\[2pt]"))]


def columns(*texts: str, decimals: int = 0) -> list[latex.Column]:
    named = [latex.Column(f"Name {at}", [latex.Cell(text)] * 3, False, False) for at, text in enumerate(texts)]
    values = [latex.Cell("0.12", "0.05, 0.20")] * 3
    return named + [latex.Column(f"Value {at}", values, True, True) for at in range(decimals)]


def test_intervals_stand_beside_points_where_there_is_room_and_below_where_not() -> None:
    for count, stacked in ((2, False), (4, True)):
        (block,) = latex.blocks(columns("a", decimals=count), latex.COLUMN)
        assert block.stacked == stacked
        assert ("0.12 [0.05, 0.20]" in block.row(0)) != stacked


def test_long_text_gives_way_before_numbers_do() -> None:
    long = "a name of many words " * 6
    (block,) = latex.blocks(columns(long, "b", decimals=2), latex.COLUMN)
    assert sum(block.widths) + 6 * 3 <= latex.COLUMN
    assert block.widths[0] < latex.Column("", [latex.Cell(long)], False, False).natural(True)
    assert all(
        width >= column.natural(block.stacked)
        for column, width in zip(block.columns[1:], block.widths[1:], strict=True)
        if column.numeric
    )
    assert r"\parbox[t]" in block.row(0)


def test_what_no_layout_fits_is_divided_and_every_part_says_what_its_rows_are() -> None:
    parts = latex.blocks(columns("a", "b", decimals=20), latex.PAGE)
    assert len(parts) > 1
    assert [[column.title for column in part.columns][:2] for part in parts] == [["Name 0", "Name 1"]] * len(parts)
    titles = [column.title for part in parts for column in part.columns[2:]]
    assert titles == [f"Value {at}" for at in range(20)]
    assert all(sum(part.widths) + 6 * (len(part.widths) - 1) <= latex.PAGE for part in parts)


def test_more_rows_than_a_page_holds_are_counted() -> None:
    many = [latex.Column("Name", [latex.Cell(f"row {at}") for at in range(500)], False, False)]
    text = latex.floating(many, wide=False, caption="Caption.", label="tab:x", rest="the appendix")
    shown = len(re.findall(r"^row \d+", text, re.M))
    assert 30 < shown < 100
    assert f"{500 - shown} further rows are in the appendix." in text


def test_a_column_that_is_not_there_is_refused() -> None:
    frame, heads = pl.DataFrame({"a": ["x"]}), {"a": "A"}
    for printed in ({"columns": ("b*",)}, {"rows": {"b": ("x",)}, "note": "Shown."}):
        with pytest.raises(PaperError, match="'b"):
            typeset.paper(frame, heads, caption="c", label="l", printed=printed)
