"""The study in six panels: the main figure of each hypothesis, small."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.figures import h1_1, h2_1, h3_1, h4_1, h5_3, h7_1
from teachable.paper.inputs import Data, count_note, labelled

ABOUT = {
    "hypothesis": "summary",
    "title": "The study in six panels",
    "caption": (
        "Where failures lie and which are teachable (a), that the patch test predicts training (b), formats "
        "by quadrant (c), transfer (d), reliability against forgetting (e), and selection at a fixed budget "
        "(f). Intervals as in the figures of each hypothesis."
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


def draw(data: Data) -> Figure:
    figure = style.figure(style.PAGE, 5.2)
    grid = figure.subplots(2, 3)
    points = plots.or_why(grid[0][0], lambda axes: h1_1.panel(axes, data, brief=True))
    if points is not None:
        bar = figure.colorbar(points, ax=grid[0][0], location="bottom", aspect=36, pad=0.02, shrink=0.8)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, labelsize=5.5)
        bar.set_label("ELP$_{net}$", fontsize=6)
    plots.or_why(grid[0][1], lambda axes: h2_1.panel(axes, data, brief=True))
    plots.or_why(grid[0][2], lambda axes: _names_below(axes, h3_1.panel(axes, data, small=True)))
    plots.or_why(grid[1][0], lambda axes: _names_below(axes, h4_1.panel(axes, data, small=True)))
    plots.or_why(grid[1][1], lambda axes: h5_3.panel(axes, data))
    plots.or_why(
        grid[1][2], lambda axes: (h7_1.panel(axes, data, "failure"), axes.set_xlabel("success from failure states"))
    )
    titles = (
        "a  where failures lie",
        "b  the patch test predicts training",
        "c  formats by quadrant",
        "d  transfer between quadrants",
        "e  reliability and forgetting",
        "f  selection at a fixed budget",
    )
    for axes, title in zip(grid.flat, titles, strict=True):
        axes.set_title(title, fontsize=7)
        axes.xaxis.label.set_fontsize(6.2)
        axes.yaxis.label.set_fontsize(6.2)
    style.footnote(
        figure,
        f"a: {count_note(labelled(data, 'U', 'L_local', 'ELP_net'))}; n of the other panels in their own figures",
    )
    return figure


def _names_below(axes: Axes, drawn: Any) -> Any:
    """Names below a matrix, so that all titles stand on one line."""
    axes.xaxis.tick_bottom()
    axes.xaxis.set_label_position("bottom")
    axes.tick_params(axis="both", length=0)
    return drawn
