"""The study in six panels: the main figure of each hypothesis, small."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import heatmaps, plots, style
from teachable.paper.figures import h1_1, h2_1, h3_1, h4_1, h5_3, h7_1
from teachable.paper.inputs import Data, count_note, labelled

ABOUT = {
    "hypothesis": "summary",
    "title": "The study in six panels",
    "caption": (
        "Failures by uncertainty, leverage and ELP_net (a), patch test against the effect of training (b), formats by "
        "quadrant (c), transfer (d), success from failures against retention (e), and methods of selection at fixed "
        "budgets (f). Intervals as in the figures of each hypothesis; c and d have one scale and are faded where the "
        "interval does not exclude 0."
    ),
    "inputs": (
        "labeled",
        "thresholds",
        "microtraining",
        "cpt_correlation",
        "transfer",
        "contrasts",
        "selection_contrasts",
    ),
}

BELOW = 0.27  # of a panel: the height from its lower edge to its colour bar
TITLES = (
    "a  failures",
    "b  patch test and training",
    "c  formats by quadrant",
    "d  transfer between quadrants",
    "e  success and retention",
    "f  selection at fixed budgets",
)


def draw(data: Data) -> Figure:
    figure = style.figure(style.PAGE, 6.0)
    grid = figure.subplots(2, 3)
    for axes, title in zip(grid.flat, TITLES, strict=True):
        axes.set_title(title, fontsize=7)
        axes.xaxis.label.set_fontsize(6.2)
        axes.yaxis.label.set_fontsize(6.2)
    points = plots.or_why(grid[0][0], lambda axes: h1_1.panel(axes, data, brief=True))
    if points is not None:
        heatmaps.bar(grid[0][0], points, "ELP$_{net}$", below=BELOW, extend=h1_1.extend(points))
    plots.or_why(grid[0][1], lambda axes: h2_1.panel(axes, data, brief=True))
    for axes, panel in ((grid[0][2], h3_1.panel), (grid[1][0], h4_1.panel)):
        image = plots.or_why(axes, partial(_below, panel, data=data))
        if image is not None:
            heatmaps.bar(axes, image, "change in success", below=BELOW)
    plots.or_why(grid[1][2], lambda axes: _selections(axes, data))
    style.footnote(
        figure,
        f"a: {count_note(labelled(data, 'U', 'L_local', 'ELP_net'))}; n of the others in their own figures; c, d: "
        f"{heatmaps.LEGEND}; f: {plots.HOLLOW}",
    )
    plots.or_why(grid[1][1], lambda axes: h5_3.panel(axes, data))  # last: it places names in the layout as it is
    for axes, title in zip(grid.flat, TITLES, strict=True):
        axes.set_title(title, fontsize=7)  # again: a panel that is not defined is cleared
    return figure


def _below(panel: Callable[..., Any], axes: Axes, *, data: Data) -> Any:
    """A matrix with its names below it, so that all titles stand on one line."""
    image = panel(axes, data, small=True)
    axes.xaxis.tick_bottom()
    axes.xaxis.set_label_position("bottom")
    axes.tick_params(axis="both", length=0)
    return image


def _selections(axes: Axes, data: Data) -> None:
    h7_1.panel(axes, data, "failure")
    axes.set_ylabel("change in success from failures")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.45, -0.17),
        ncols=2,
        fontsize=style.SMALLEST,
        columnspacing=0.8,
        handletextpad=0.2,
        labelspacing=0.25,
    )
