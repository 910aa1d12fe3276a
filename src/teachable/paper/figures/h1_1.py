"""Figure H1.1: uncertainty against local leverage, coloured by teachability."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from teachable.paper import points as pointing
from teachable.paper import ranks, style
from teachable.paper.inputs import Data, count_note, labelled, record

ABOUT = {
    "hypothesis": "H1",
    "title": "Uncertainty, leverage and teachability",
    "caption": (
        "Each point is a failure snapshot: the student's uncertainty U, spaced by rank, against its local leverage "
        "L_local, coloured by how much the best patch raises success over the placebo (ELP_net; an arrow of the bar: "
        "some lie beyond its end). Shaded are the quadrants cut at the thresholds; below the snapshots in each. "
        "The bar at the right is plus and minus the median standard error of one L_local."
    ),
    "inputs": ("labeled", "thresholds"),
    "minimum": True,
}

CORNERS = {"Q4": (0, 1), "Q1": (1, 1), "Q3": (0, 0), "Q2": (1, 0)}  # (high U, high L)
ROOM = (0.08, 0.16)  # at the left and right end of U, as shares: for the names, and for the error at the right
ABOVE = 0.1  # below and above L, for the names


def draw(data: Data) -> Figure:
    figure, axes = style.single(style.COLUMN, 3.2)
    points = panel(axes, data)
    bar = figure.colorbar(points, ax=axes, extend=extend(points), aspect=32, pad=0.02, shrink=0.9)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.ax.set_title("ELP$_{net}$", fontsize=6.5, fontweight="normal", loc="left", pad=9)
    rows = labelled(data, "U", "L_local", "ELP_net")
    counts = {q: int((rows["quadrant"] == q).sum()) for q in CORNERS}
    for at, (quadrant, (high_u, high_l)) in enumerate(CORNERS.items()):
        axes.annotate(
            f"{quadrant}  {style.QUADRANT_NAME[quadrant]}",
            (high_u, 1),
            xycoords="axes fraction",
            xytext=(0, 13 if high_l else 4),
            textcoords="offset points",
            ha="right" if at % 2 else "left",
            color=style.QUADRANT_COLOUR[quadrant],
            fontsize=5.8,
            fontweight="bold",
        )
    style.footnote(
        figure,
        f"{count_note(rows)}, {', '.join(f'{count:,} in {q}' for q, count in sorted(counts.items()))}; measure of U: "
        f"{record(data, 'thresholds', 'measure').replace('_', ' ')}, nats",
    )
    return figure


def panel(axes: Axes, data: Data, *, brief: bool = False) -> Any:
    """Draw into ``axes`` (``brief``: counts beside the short names); returns the points, for a colour bar."""
    rows = labelled(data, "U", "L_local", "L_local_se", "ELP_net", "snapshot_id").sort("ELP_net")
    cuts = {key: [float(record(data, "thresholds", key, end)) for end in ("low", "high")] for key in ("U", "L_local")}
    ranked, leverage = ranks.Ranked(rows["U"]), rows["L_local"].to_numpy()
    cut_u = ranked.place(cuts["U"]).tolist()
    limit = max(0.1, float(np.quantile(np.abs(rows["ELP_net"].to_numpy()), 0.98)))
    x0, x1 = ranks.limits(ROOM)
    y0, y1 = _limits(leverage, cuts["L_local"])
    for quadrant, (high_u, high_l) in CORNERS.items():
        left, right = (cut_u[1], x1) if high_u else (x0, cut_u[0])
        low, high = (cuts["L_local"][1], y1) if high_l else (y0, cuts["L_local"][0])
        colour = style.QUADRANT_COLOUR[quadrant]
        axes.add_patch(
            Rectangle((left, low), right - left, high - low, facecolor=colour, alpha=0.07, linewidth=0, zorder=0)
        )
        count = int((rows["quadrant"] == quadrant).sum())
        axes.annotate(
            f"{quadrant}  n = {count:,}" if brief and cut_u[0] > 0.35 and cut_u[1] < 0.65 else quadrant,
            (high_u, high_l),
            xycoords="axes fraction",
            xytext=(-2 if high_u else 2, -2 if high_l else 2),
            textcoords="offset points",
            color=colour,
            fontsize=5.8,
            ha="right" if high_u else "left",
            va="top" if high_l else "bottom",
            fontweight="bold",
            zorder=6,
        )
    size = float(np.clip(2600 / len(rows), 5, 26))
    points = axes.scatter(
        ranked.place(rows["U"]),
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
    for value in sorted(set(cut_u)):
        axes.axvline(value, color=style.MUTED, linewidth=0.6, zorder=1)
    for value in sorted(set(cuts["L_local"])):
        axes.axhline(value, color=style.MUTED, linewidth=0.6, zorder=1)
    error = float(rows["L_local_se"].median())  # type: ignore[arg-type]
    middle = (y0 + y1) / 2
    axes.errorbar([x1 - 0.08], [middle], yerr=error, color=style.INK, linewidth=0.8, capsize=2)
    axes.annotate(
        "median s.e.",
        (x1 - 0.03, middle),
        ha="center",
        va="center",
        rotation=90,
        fontsize=style.SMALLEST,
        color=style.MUTED,
    )
    ranks.label(axes, ranked, "uncertainty U (nats)", gap=0.22 if brief else 0.15)
    axes.set(xlim=(x0, x1), ylim=(y0, y1), ylabel="local leverage $L_{local}$")
    return points


def extend(points: Any) -> str:
    """At which ends of their colours ``points`` lie beyond: there the bar has an arrow."""
    values, (low, high) = np.asarray(points.get_array()), points.get_clim()
    beyond = (bool((values < low).any()), bool((values > high).any()))
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond]


def _limits(values: np.ndarray, cut: list[float]) -> tuple[float, float]:
    low, high = min(float(values.min()), cut[0]), max(float(values.max()), cut[1])
    margin = ABOVE * max(high - low, 0.5)
    return low - margin, high + margin
