"""Figure H3.1: which supervision format helps which quadrant."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import heatmaps, style
from teachable.paper.inputs import Data, Interval, Undefined, interval_note, intervals, where
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H3",
    "title": "Supervision format by quadrant",
    "caption": (
        "Change in success on held-out failures of the quadrant a run was trained on, by format. Below each "
        "number its 95 % interval, clustered by game; faded where it does not exclude 0; framed is the largest of the "
        "quadrant. The colours are those of Figure H4.1."
    ),
    "inputs": ("transfer",),
    "minimum": True,
}


def draw(data: Data) -> Figure:
    figure, axes = style.single(style.COLUMN, 2.9)
    heatmaps.bar(axes, panel(axes, data), "change in success against base", below=0.09)
    style.footnote(figure, f"{interval_note(own(data).values(), 'episodes')} a cell; {heatmaps.LEGEND}")
    return figure


def own(data: Data) -> dict[tuple[str, str], Interval]:
    """(quadrant, format) -> change on the quadrant's own held-out failures."""
    cells = intervals(data, "transfer", ("trained_on", "evaluated_on", "format"), format=list(FORMATS))
    found = {(trained, kind): value for (trained, tested, kind), value in cells.items() if trained == tested}
    if not found:
        raise Undefined(f"The input {where('transfer')} has no row with trained_on equal to evaluated_on.")
    return found


def best(cells: dict[tuple[str, str], Interval]) -> dict[str, str]:
    """Quadrant -> format with the largest change (first of the fixed order at a tie)."""
    chosen = {}
    for quadrant in QUADRANTS:
        known = [kind for kind in FORMATS if (quadrant, kind) in cells]
        if known:
            chosen[quadrant] = max(known, key=lambda kind: cells[quadrant, kind].point)
    return chosen


def panel(axes: Axes, data: Data, *, small: bool = False) -> Any:
    """Draw into ``axes``; returns the image."""
    cells = own(data)
    winners = best(cells)
    image = heatmaps.matrix(
        axes,
        cells,
        QUADRANTS,
        FORMATS,
        limit=heatmaps.limit_of(data),
        outline=lambda row, column: winners.get(row) == column,
        small=small,
    )
    axes.set_yticks(range(4), QUADRANTS if small else [f"{q}\n{style.QUADRANT_NAME[q]}" for q in QUADRANTS])
    for label, quadrant in zip(axes.get_yticklabels(), QUADRANTS, strict=True):
        label.set_color(style.QUADRANT_COLOUR[quadrant])
    axes.xaxis.tick_top()
    axes.tick_params(axis="both", length=0)
    return image
