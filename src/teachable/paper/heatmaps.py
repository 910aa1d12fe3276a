"""Matrices of changes in success: one scale for all that show the same results, and its colour bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from teachable.paper import style
from teachable.paper.inputs import Data, Interval, frame, number

FADED = 0.3  # opacity of a cell whose interval does not exclude 0
LEGEND = "faded: 0 inside the interval"


def limit_of(data: Data) -> float:
    """Where the colours end in every matrix of ``transfer``: the largest absolute change of any cell, mean or single
    format, and 0.05 at least, so that noise of rounding has no colour."""
    known = frame(data, "transfer", "point")["point"].drop_nulls().abs()
    return max(0.05, float(known.max() or 0.0))  # type: ignore[arg-type]


def matrix(
    axes: Axes,
    cells: Mapping[tuple[str, str], Interval],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    limit: float,
    outline: Callable[[str, str], bool] = lambda _row, _column: False,
    digits: int = 2,
    small: bool = False,
) -> Any:
    """A heat map of changes: the point, its interval below; a cell whose interval does not exclude 0 is faded.

    Colours are symmetric about 0 up to ``limit``. A cell that was not measured is hatched; ``small`` breaks the
    interval into two lines. Returns the image for a colour bar.
    """
    values, opacity = (np.full((len(rows), len(columns)), fill) for fill in (np.nan, 1.0))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if (row, column) in cells:
                values[i, j] = cells[row, column].point
                opacity[i, j] = 1.0 if cells[row, column].excludes_zero else FADED
    image = axes.imshow(values, cmap=style.DIVERGING, norm=Normalize(-limit, limit), aspect="auto", alpha=opacity)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cell = cells.get((row, column))
            if cell is None:
                _frame(axes, j, i, 1, 1, facecolor="white", edgecolor=style.FAINT, hatch="////", linewidth=0)
                continue
            dark = cell.excludes_zero and abs(cell.point) > 0.72 * limit
            _write(axes, j, i, cell, digits, "white" if dark else style.INK, small=small)
            if outline(row, column):
                _frame(axes, j, i, 0.94, 0.92, fill=False, edgecolor=style.INK, linewidth=1.1, zorder=5)
    axes.set_xticks(range(len(columns)), [style.name(c) for c in columns])
    axes.set_yticks(range(len(rows)), [style.name(r) for r in rows])
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def bar(axes: Axes, image: Any, text: str, *, below: float, **options: Any) -> Colorbar:
    """The colour bar of ``image`` (or of coloured points), ``below`` its ``axes`` by that share of their height."""
    place = axes.inset_axes((0.08, -below, 0.84, 0.035))
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes are in no figure")
    made = figure.colorbar(image, cax=place, orientation="horizontal", **options)
    made.outline.set_visible(False)
    place.tick_params(length=0, labelsize=6)
    place.locator_params(axis="x", nbins=5)
    place.set_xlabel(text, fontsize=6.2)
    if made.solids is not None:
        made.solids.set_alpha(1)
    return made


def _write(axes: Axes, x: int, y: int, cell: Interval, digits: int, ink: str, *, small: bool) -> None:
    bounded = not math.isnan(cell.low)
    axes.text(
        x,
        y - ((0.24 if small else 0.12) if bounded else 0),
        number(cell.point, digits, signed=True),
        ha="center",
        va="center",
        fontsize=6.2 if small else 8,
        fontweight="bold" if cell.excludes_zero else "normal",
        color=ink,
    )
    if bounded:
        low, high = number(cell.low, digits), number(cell.high, digits)
        axes.text(
            x,
            y + (0.17 if small else 0.24),
            f"{low}\nto {high}" if small else f"{low} to {high}",
            ha="center",
            va="center",
            fontsize=style.SMALLEST,
            color=ink,
        )


def _frame(axes: Axes, x: float, y: float, width: float, height: float, **options: Any) -> None:
    axes.add_patch(Rectangle((x - width / 2, y - height / 2), width, height, **options))
