"""Figure H2.1: the patch test against the effect of micro-training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, count_note, frame, record, where
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H2",
    "title": "Patch test against the effect of training",
    "caption": (
        "ELP_net of a snapshot against the change in success after one or two gradient steps on its example. "
        "The line is the running mean of equal-sized bins; correlations with 95 % intervals clustered by "
        "game."
    ),
    "inputs": ("microtraining", "cpt_correlation"),
    "minimum": True,
}

LINES = (
    ("spearman", "Spearman ELP"),
    ("spearman_L_local", "Spearman leverage"),
    ("partial_spearman_ELP_given_L", "partial, given leverage"),
)


def draw(data: Data) -> Figure:
    figure, axes = style.single(style.COLUMN, 3.0)
    panel(axes, data)
    rows = frame(data, "microtraining", "ELP_net", "delta_micro", "task_id").drop_nulls(["ELP_net", "delta_micro"])
    plots.keys(
        axes,
        [(f"{q}  {style.QUADRANT_NAME[q]}", style.QUADRANT_COLOUR[q], style.QUADRANT_MARKER[q]) for q in QUADRANTS],
        loc="upper center",
        bbox_to_anchor=(0.46, 1.15),
        ncols=2,
        columnspacing=1.0,
        handletextpad=0.2,
    )
    style.footnote(figure, f"{count_note(rows, 'micro-trainings')}; brackets: 95 % intervals, clustered by game")
    return figure


def panel(axes: Axes, data: Data, *, brief: bool = False) -> None:
    """Draw into ``axes``; ``brief`` prints only the first correlation."""
    rows = frame(data, "microtraining", "ELP_net", "delta_micro", "quadrant", "task_id", "snapshot_id").drop_nulls(
        ["ELP_net", "delta_micro"]
    )
    if rows.is_empty():
        raise Undefined(f"The input {where('microtraining')} has no row with both ELP_net and delta_micro.")
    style.zero(axes)
    style.zero(axes, "x")
    size = float(np.clip(1800 / len(rows), 7, 26))
    plots.by_kind(axes, rows, "ELP_net", "delta_micro", s=size, alpha=0.8, linewidth=0.3, zorder=2)
    order = np.argsort(rows["ELP_net"].to_numpy(), kind="stable")
    bins = np.array_split(order, max(2, min(8, len(rows) // 12)))
    if len(rows) >= 48:
        x, y = rows["ELP_net"].to_numpy(), rows["delta_micro"].to_numpy()
        axes.plot(
            [x[b].mean() for b in bins],
            [y[b].mean() for b in bins],
            color=style.INK,
            linewidth=1.3,
            marker="o",
            markersize=2.6,
            zorder=4,
        )
    stored = [
        (text, Interval.maybe(record(data, "cpt_correlation", "overall", key)))
        for key, text in (LINES[:1] if brief else LINES)
    ]
    lines = [f"{text}  {value.text() if value else 'not defined'}" for text, value in stored]
    style.at_least(axes, 0.1)
    style.at_least(axes, 0.1, "x")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) * (0.1 if brief else 0.24))
    axes.annotate(
        "\n".join(lines),
        (0, 1),
        xycoords="axes fraction",
        xytext=(4, -3),
        textcoords="offset points",
        va="top",
        fontsize=6,
        linespacing=1.35,
        zorder=6,
        bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1.5},
    )
    axes.set(xlabel="teachability by patch test, ELP$_{net}$", ylabel="change after training, $\\Delta_{micro}$")
