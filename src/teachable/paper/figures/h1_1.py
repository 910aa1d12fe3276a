"""Figure H1.1: uncertainty against local leverage, coloured by teachability."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from teachable.paper import points as pointing
from teachable.paper import style
from teachable.paper.inputs import Data, count_note, labelled, record

ABOUT = {
    "hypothesis": "H1",
    "title": "Uncertainty, leverage and teachability",
    "caption": (
        "Each point is a failure snapshot: the student's uncertainty U against its local leverage L_local, "
        "coloured by how much the best patch raises success over the placebo (ELP_net). Shaded corners are "
        "the quadrants cut at the thresholds; the numbers are snapshots in each. The cross is the median "
        "standard error of one L_local."
    ),
    "inputs": ("labeled", "thresholds"),
    "minimum": True,
}

CORNERS = {"Q1": (1, 1), "Q2": (1, 0), "Q3": (0, 0), "Q4": (0, 1)}  # (high U, high L)


def draw(data: Data) -> Figure:
    figure, axes = style.single(style.COLUMN, 3.1)
    points = panel(axes, data)
    bar = figure.colorbar(points, ax=axes, aspect=32, pad=0.02, shrink=0.9)
    bar.outline.set_visible(False)
    bar.ax.set_title("ELP$_{net}$", fontsize=6.5, fontweight="normal", loc="left", pad=7)
    bar.ax.tick_params(length=0)
    rows = labelled(data, "U", "L_local", "ELP_net")
    style.footnote(
        figure,
        f"{count_note(rows)}; measure of U: {record(data, 'thresholds', 'measure').replace('_', ' ')}, nats",
    )
    return figure


def panel(axes: Axes, data: Data, *, brief: bool = False) -> Any:
    """Draw into ``axes`` (``brief``: shorter names); returns the points, for a colour bar."""
    rows = labelled(data, "U", "L_local", "L_local_se", "ELP_net", "snapshot_id").sort("ELP_net")
    cuts = {key: [float(record(data, "thresholds", key, end)) for end in ("low", "high")] for key in ("U", "L_local")}
    u, leverage = rows["U"].to_numpy(), rows["L_local"].to_numpy()
    limit = max(0.1, float(np.quantile(np.abs(rows["ELP_net"].to_numpy()), 0.98)))
    x0, x1 = _limits(u, cuts["U"])
    y0, y1 = _limits(leverage, cuts["L_local"], room=0.12)
    for quadrant, (high_u, high_l) in CORNERS.items():
        left, right = (cuts["U"][1], x1) if high_u else (x0, cuts["U"][0])
        low, high = (cuts["L_local"][1], y1) if high_l else (y0, cuts["L_local"][0])
        colour = style.QUADRANT_COLOUR[quadrant]
        axes.add_patch(
            Rectangle((left, low), right - left, high - low, facecolor=colour, alpha=0.07, linewidth=0, zorder=0)
        )
        count = int((rows["quadrant"] == quadrant).sum())
        axes.annotate(
            f"{quadrant}  n = {count:,}" if brief else f"{quadrant}  {style.QUADRANT_NAME[quadrant]}\nn = {count:,}",
            (high_u, high_l),
            xycoords="axes fraction",
            xytext=(-3 if high_u else 3, -3 if high_l else 3),
            textcoords="offset points",
            color=colour,
            fontsize=5.8,
            ha="right" if high_u else "left",
            va="top" if high_l else "bottom",
            fontweight="bold",
            zorder=6,
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.2},
        )
    size = float(np.clip(2600 / len(rows), 5, 26))
    points = axes.scatter(
        u,
        leverage,
        c=rows["ELP_net"].to_numpy(),
        cmap=style.DIVERGING,
        vmin=-limit,
        vmax=limit,
        s=size,
        edgecolors=style.INK,
        linewidths=0.25,
        zorder=3,
    )
    pointing.mark(points, rows["snapshot_id"].to_list())
    for value in sorted(set(cuts["U"])):
        axes.axvline(value, color=style.MUTED, linewidth=0.6, zorder=1)
    for value in sorted(set(cuts["L_local"])):
        axes.axhline(value, color=style.MUTED, linewidth=0.6, zorder=1)
    error = float(rows["L_local_se"].median())  # type: ignore[arg-type]
    axes.errorbar(
        [x1 - 0.04 * (x1 - x0)],
        [(cuts["L_local"][1] + y1) / 2],
        yerr=error,
        color=style.INK,
        linewidth=0.8,
        capsize=2,
    )
    axes.annotate(
        "median\ns.e.",
        (x1 - 0.06 * (x1 - x0), (cuts["L_local"][1] + y1) / 2),
        ha="right",
        va="center",
        fontsize=5.4,
        color=style.MUTED,
    )
    axes.set(xlim=(x0, x1), ylim=(y0, y1), xlabel="uncertainty U (nats)", ylabel="local leverage $L_{local}$")
    return points


def _limits(values: np.ndarray, cut: list[float], room: float = 0.05) -> tuple[float, float]:
    low, high = min(float(values.min()), cut[0]), max(float(values.max()), cut[1])
    margin = room * max(high - low, 0.5)  # on the vertical axis also for the names in the corners
    return low - margin, high + margin
