"""A table as LaTeX that fits: how wide each column is, whether intervals stand beside or below their points, which text
wraps, and where a table is divided.

Widths are those of Computer Modern (as TeX's own ``cmr10.tfm`` states them), which is wider than the Times of most
styles. A table is laid out in the fewest lines that its width allows; what no layout fits is divided into parts that
repeat the first columns. Nothing is scaled: print is 8 points, an interval below its point 7.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from teachable.paper import sheet

POINTS = 72.27  # TeX's points in an inch
COLUMN, PAGE = sheet.COLUMN * POINTS, sheet.PAGE * POINTS
HEIGHT = 9.0 * POINTS
_GAP = 6.0  # points between two columns
_LINE, _CAPTION_LINE = 9.5, 12.0
_FRAME = 60.0  # points of a page that rules, headings and the space below a float take
_CHARACTER = 4.7  # mean points of a caption's character
_PLAIN, _SMALL = 0.85, 0.796  # cmr8 and cmr7 over cmr10
_SAFE = 1.02
# Small type, columns close together, and a break after a hyphen as good as one between words.
_SET = r"\footnotesize\setlength{\tabcolsep}{3pt}\exhyphenpenalty=0 "

# Points at 10 points; what is not named takes 7.8.
_WIDTHS = {
    **dict.fromkeys('0123456789_/ago\N{EN DASH}\N{GREEK SMALL LETTER RHO}\N{SUPERSCRIPT TWO}"', 5.0),
    **dict.fromkeys(".,:;'![]il", 2.78),
    **dict.fromkeys(" -fj", 3.33),
    **dict.fromkeys("()rst", 3.94),
    **dict.fromkeys("cez", 4.45),
    **dict.fromkeys("bdhknpquvxy", 5.56),
    **dict.fromkeys("IJ", 5.14),
    **dict.fromkeys("SZL", 6.25),
    **dict.fromkeys("m%", 8.4),
    **dict.fromkeys("MW", 10.3),
}

_ESCAPES = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#{}"},
    "_": r"\_\allowbreak{}",
    "/": r"/\allowbreak{}",
    "|": r"\textbar{}",
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


@dataclass(frozen=True, slots=True)
class Cell:
    """What is printed in a place: a value, and the ends of its interval, ``0.05, 0.20``, where it has one."""

    text: str
    between: str = ""

    @property
    def whole(self) -> str:
        """``0.12 [0.05, 0.20]``."""
        return f"{self.text} [{self.between}]" if self.between else self.text


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its cells, whether they are numbers, and whether these have decimals."""

    title: str
    cells: Sequence[Cell]
    numeric: bool
    decimal: bool

    def natural(self, stacked: bool) -> float:
        """Points that the widest cell takes on one line, and the longest word of the heading."""
        return max([_longest(self.title), *(_cell_width(cell, stacked) for cell in self.cells)])

    def least(self, stacked: bool) -> float:
        """Points that it takes where text wraps; numbers never do."""
        if self.numeric:
            return self.natural(stacked)
        return max([_longest(self.title), *(_longest(cell.whole) for cell in self.cells)])


@dataclass(frozen=True, slots=True)
class Block:
    """Columns that stand side by side, the points that each has, and where their intervals stand."""

    columns: Sequence[Column]
    widths: Sequence[float]
    stacked: bool

    def lines(self, row: int) -> int:
        """Lines of print that a row takes."""
        return max(self._lines(column, width, row) for column, width in zip(self.columns, self.widths, strict=True))

    def _lines(self, column: Column, width: float, row: int) -> int:
        cell = column.cells[row]
        if column.numeric:
            return 2 if self.stacked and cell.between else 1
        return len(_wrapped(cell.whole, width))

    @property
    def spec(self) -> str:
        """The columns as ``tabular`` wants them."""
        return f"@{{}}{''.join('r' if column.numeric else 'l' for column in self.columns)}@{{}}"

    @property
    def head(self) -> str:
        """The row of headings, each on as many lines as its column's width makes of it."""
        made = []
        for column, width in zip(self.columns, self.widths, strict=True):
            lines = [escape(line) for line in _wrapped(column.title, width)]
            side, text = "r" if column.numeric else "l", r"\\".join(lines)
            made.append(rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{text}\end{{tabular}}" if len(lines) > 1 else text)
        return " & ".join(made) + r" \\"

    def row(self, at: int) -> str:
        """Row ``at``, with a little space below where it takes several lines."""
        made = [self._printed(c, width, c.cells[at]) for c, width in zip(self.columns, self.widths, strict=True)]
        return " & ".join(made) + (r" \\[2pt]" if self.lines(at) > 1 else r" \\")

    def _printed(self, column: Column, width: float, cell: Cell) -> str:
        if column.numeric and self.stacked and cell.between:
            ends = rf"{{\scriptsize[{escape(cell.between)}]}}"
            return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{escape(cell.text)}\\[-1pt]{ends}\end{{tabular}}"
        if column.numeric or len(_wrapped(cell.whole, width)) == 1:
            return escape(cell.whole)
        return rf"\parbox[t]{{{width:.1f}pt}}{{\raggedright {escape(cell.whole)}\strut}}"


def blocks(columns: Sequence[Column], width: float) -> list[Block]:
    """The columns in as few parts as fit in ``width`` points, each in the layout of fewest lines. The columns before
    the first with decimals, at least one, say what a row is: every part has them."""
    whole = _laid_out(columns, width)
    if whole is not None:
        return [whole]
    first = next((at for at, column in enumerate(columns) if column.decimal), 1)
    keys, parts = list(columns[: max(1, first)]), [[]]  # type: list[Column], list[list[Column]]
    for column in columns[len(keys) :]:
        if parts[-1] and _laid_out([*keys, *parts[-1], column], width) is None:
            parts.append([])
        parts[-1].append(column)
    return [_laid_out([*keys, *part], width) or _as_it_is([*keys, *part]) for part in parts]


def floating(columns: Sequence[Column], *, wide: bool, caption: str, label: str, rest: str) -> str:
    """A float of one column of the page, or of both (``wide``); needs ``\\usepackage{booktabs}`` only.

    Rows that a page has no room for are counted in a last line, which says that they are in ``rest``.
    """
    width = PAGE if wide else COLUMN
    made = blocks(columns, width)
    room = (HEIGHT - _FRAME - math.ceil(len(caption) * _CHARACTER / width) * _CAPTION_LINE) / len(made) / _LINE
    environment = "table*" if wide else "table"
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{{environment}}}[t]",
        rf"\centering{_SET}",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{{label}}}",
        r"\vskip 4pt",
    ]
    for number, block in enumerate(made):
        lines += [r"\par\medskip"] if number else []
        lines += [rf"\begin{{tabular}}{{{block.spec}}}", r"\toprule", block.head, r"\midrule"]
        lines += _rows(block, room, rest)
        lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, rf"\end{{{environment}}}", ""])


def long(columns: Sequence[Column], *, caption: str, label: str) -> str:
    """A table over as many pages as it takes, for an appendix of one column (after ``\\onecolumn``); needs
    ``\\usepackage{booktabs,longtable}``."""
    lines = [
        r"% for an appendix after \onecolumn; needs \usepackage{booktabs,longtable}",
        r"\begingroup",
        _SET,
    ]
    for number, block in enumerate(blocks(columns, PAGE)):
        named = [rf"\caption{{{escape(caption)}}}", rf"\label{{{label}}} \\"]
        lines += [r"\addtocounter{table}{-1}"] if number else []
        lines += [rf"\begin{{longtable}}{{{block.spec}}}", *([] if number else named)]
        lines += [r"\toprule", block.head, r"\midrule", r"\endfirsthead"]
        lines += [r"\toprule", block.head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
        lines += _rows(block, math.inf, "")
        lines += [r"\end{longtable}"]
    return "\n".join([*lines, r"\endgroup", ""])


def _rows(block: Block, room: float, rest: str) -> list[str]:
    """The rows that take no more than ``room`` lines."""
    count = len(block.columns[0].cells)
    if not count:
        return [rf"\multicolumn{{{len(block.columns)}}}{{@{{}}l@{{}}}}{{No estimate is defined on these data.}} \\"]
    made: list[str] = []
    taken, every = 0.0, sum(block.lines(row) * 1.1 for row in range(count))
    for row in range(count):
        taken += block.lines(row) * 1.1  # what a row of several lines has below it
        if taken > room - (every > room):
            left = f"{count - row:,} further rows are in {rest}."
            return [*made, rf"\multicolumn{{{len(block.columns)}}}{{@{{}}l@{{}}}}{{{escape(left)}}} \\"]
        made.append(block.row(row))
    return made


def _laid_out(columns: Sequence[Column], width: float) -> Block | None:
    """The layout that takes fewest lines; None where the columns are too wide in each."""
    found = []
    for stacked in (False, True):
        widths = _widths(columns, width, stacked)
        if widths is not None:
            found.append(Block(columns, widths, stacked))
    return min(found, key=lambda block: sum(map(block.lines, range(len(columns[0].cells)))), default=None)


def _widths(columns: Sequence[Column], width: float, stacked: bool) -> list[float] | None:
    """Points of each column: as wide as they are, and where that is too much the widest texts give way first."""
    room = width - _GAP * (len(columns) - 1)
    natural = [column.natural(stacked) for column in columns]
    least = [column.least(stacked) for column in columns]
    if sum(least) > room:
        return None
    widths, most = list(natural), max(natural)
    while sum(widths) > room:
        most -= 1
        widths = [min(wanted, max(needed, most)) for wanted, needed in zip(natural, least, strict=True)]
    left = room - sum(widths)
    for at, column in enumerate(columns):  # a heading stands on one line where there is room for it
        more = max(0.0, _width(column.title) - widths[at])
        if more <= left:
            widths[at] += more
            left -= more
    return widths


def _as_it_is(columns: Sequence[Column]) -> Block:
    return Block(columns, [column.least(True) for column in columns], True)


def _width(text: str, size: float = _PLAIN) -> float:
    return size * _SAFE * sum(_WIDTHS.get(character, 7.8) for character in text)


def _cell_width(cell: Cell, stacked: bool) -> float:
    if stacked and cell.between:
        return max(_width(cell.text), _width(f"[{cell.between}]", _SMALL))
    return _width(cell.whole)


def _words(text: str) -> list[list[str]]:
    """The words of a text, each in the pieces between which TeX may break it: after a hyphen, ``_`` or ``/``."""
    return [re.split(r"(?<=[-_/])(?=[^\W_])", word) for word in text.split()]


def _longest(text: str) -> float:
    return max((_width(piece) for word in _words(text) for piece in word), default=0.0)


def _wrapped(text: str, width: float) -> list[str]:
    """The lines of ``text`` in a column of ``width`` points; at least one."""
    lines = [""]
    for word in _words(text):
        for number, piece in enumerate(word):
            longer = lines[-1] + (" " if lines[-1] and not number else "") + piece
            if lines[-1] and _width(longer) > width + 0.01:
                lines.append(piece)
            else:
                lines[-1] = longer
    return lines
