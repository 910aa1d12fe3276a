"""Where the quadrants are cut: distributions, the plane and quantiles of U and L_local."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import style
from teachable.paper.inputs import QUADRANTS, Data, count_note, labelled, record

AXES = {"U": "uncertainty U (nats)", "L_local": "local leverage $L_{local}$"}
COLOURS = {"U": "#0072B2", "L_local": "#D55E00"}


def draw(data: Data) -> Figure:
    rows = labelled(data, "U", "L_local")
    cuts = {key: sorted({float(record(data, "thresholds", key, end)) for end in ("low", "high")}) for key in AXES}
    figure = style.figure(style.PAGE, 4.2)
    (top_left, top_right), (plane, quantiles) = figure.subplots(2, 2)
    for axes, key in ((top_left, "U"), (top_right, "L_local")):
        values = rows[key].to_numpy()
        axes.hist(
            values,
            bins=int(np.clip(np.sqrt(len(values)) * 1.6, 8, 40)),
            color=COLOURS[key],
            alpha=0.35,
            linewidth=0,
        )
        axes.plot(
            values,
            np.full(len(values), -0.02),
            "|",
            color=COLOURS[key],
            markersize=4,
            alpha=0.5,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
        for cut in cuts[key]:
            below = float((values <= cut).mean())
            axes.axvline(cut, color=style.ACCENT, linewidth=0.8, linestyle=(0, (4, 2)))
            axes.annotate(
                f"{cut:.2f}\n{below:.0%} at or below",
                (cut, 1),
                xycoords=axes.get_xaxis_transform(),
                xytext=(3, -2),
                textcoords="offset points",
                va="top",
                fontsize=6,
                color=style.ACCENT,
                path_effects=style.HALO,
            )
        axes.set(xlabel=AXES[key], ylabel="snapshots")
    _plane(plane, data, cuts)
    for key in AXES:
        values = np.sort(rows[key].to_numpy())
        share = (np.arange(len(values)) + 0.5) / len(values)
        quantiles.plot(share, values, color=COLOURS[key], linewidth=1.3)
        quantiles.annotate(
            "U (nats)" if key == "U" else "$L_{local}$",
            (1, values[-1]),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[key],
            annotation_clip=False,
        )
        for cut in cuts[key]:
            quantiles.plot([float((values <= cut).mean())], [cut], "o", color=style.ACCENT, markersize=4, zorder=4)
    style.grid(quantiles)
    quantiles.set(xlabel="share of snapshots at or below", xlim=(0, 1))
    method = str(record(data, "thresholds", "method"))
    style.footnote(
        figure,
        f"{count_note(rows)}; thresholds: {method}; measure of U: {record(data, 'thresholds', 'measure')}",
    )
    return figure


def _plane(axes: Axes, data: Data, cuts: dict[str, list[float]]) -> None:
    rows = labelled(data, "U", "L_local")
    for quadrant in QUADRANTS:
        part = rows.filter(quadrant=quadrant)
        axes.scatter(
            part["U"],
            part["L_local"],
            s=6,
            color=style.QUADRANT_COLOUR[quadrant],
            alpha=0.7,
            linewidths=0,
            marker=style.QUADRANT_MARKER[quadrant],
            label=f"{quadrant}  n = {len(part):,}",
        )
    for cut in cuts["U"]:
        axes.axvline(cut, color=style.ACCENT, linewidth=0.8, linestyle=(0, (4, 2)))
    for cut in cuts["L_local"]:
        axes.axhline(cut, color=style.ACCENT, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set(xlabel=AXES["U"], ylabel=AXES["L_local"])
    axes.legend(loc="upper right", handletextpad=0.1, borderpad=0.1)
