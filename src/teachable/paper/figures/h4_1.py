"""Figure H4.1: the transfer matrix between quadrants."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import heatmaps, style
from teachable.paper.inputs import Data, interval_note, intervals
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H4",
    "title": "Transfer between quadrants",
    "caption": (
        "Change in success on held-out failures of each quadrant (columns) after training on each quadrant "
        "(rows), mean over formats. Below each number its 95 % interval, clustered by game; faded where "
        "it does not exclude 0. The colours are those of Figure H3.1."
    ),
    "inputs": ("transfer",),
    "minimum": True,
}


def draw(data: Data) -> Figure:
    figure, axes = style.single(style.COLUMN, 3.1)
    heatmaps.bar(axes, panel(axes, data), "change in success against base, mean over formats", below=0.09)
    cells = intervals(data, "transfer", ("trained_on", "evaluated_on"), format="mean")
    style.footnote(figure, f"{interval_note(cells.values(), 'episodes')} a cell; {heatmaps.LEGEND}")
    return figure


def panel(axes: Axes, data: Data, *, small: bool = False) -> Any:
    """Draw into ``axes``; returns the image."""
    cells = intervals(data, "transfer", ("trained_on", "evaluated_on"), format="mean")
    image = heatmaps.matrix(
        axes,
        cells,
        QUADRANTS,
        QUADRANTS,
        limit=heatmaps.limit_of(data),
        outline=lambda row, column: row == column,
        small=small,
    )
    axes.set(xlabel="evaluated on failures of", ylabel="trained on")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(axis="both", length=0)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, quadrant in zip(labels, QUADRANTS, strict=True):
            label.set_color(style.QUADRANT_COLOUR[quadrant])
            label.set_fontweight("bold")
    return image
