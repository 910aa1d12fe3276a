"""Where the quadrants are cut: distributions, the plane and quantiles of U and L_local."""

from __future__ import annotations

import numpy as np
import polars as pl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import plots, ranks, style
from teachable.paper.inputs import Data, count_note, labelled, number, record
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "appendix",
    "title": "Where the quadrants are cut",
    "caption": (
        "Distributions of U and L_local with their thresholds, the snapshots in the plane, both axes spaced by rank, "
        "and quantiles of both."
    ),
    "inputs": ("labeled", "thresholds"),
}

AXES = {"U": "uncertainty U (nats)", "L_local": "local leverage $L_{local}$"}
COLOURS = {"U": style.FORMAT_COLOUR["demo"], "L_local": style.FORMAT_COLOUR["contrast"]}  # of no quadrant


def draw(data: Data) -> Figure:
    rows = labelled(data, "U", "L_local")
    cuts = {key: sorted({float(record(data, "thresholds", key, end)) for end in ("low", "high")}) for key in AXES}
    figure = style.figure(style.PAGE, 4.4)
    (top_left, top_right), (plane, quantiles) = figure.subplots(2, 2)
    for axes, key in ((top_left, "U"), (top_right, "L_local")):
        values = rows[key].to_numpy()
        bins = int(np.clip(np.sqrt(len(values)) * 1.6, 8, 40))
        sns.histplot(x=values, bins=bins, color=COLOURS[key], alpha=0.35, linewidth=0, ax=axes)
        sns.rugplot(x=values, height=-0.03, clip_on=False, color=COLOURS[key], alpha=0.5, linewidth=0.8, ax=axes)
        axes.set(xlabel=AXES[key], ylabel="snapshots", ylim=(0, None))
        low, high = axes.get_xlim()
        for at, cut in enumerate(cuts[key]):
            below = float((values <= cut).mean())
            axes.axvline(cut, color=style.ACCENT, linewidth=0.8, linestyle=(0, (4, 2)))
            axes.annotate(
                f"{number(cut)}: {below:.0%} at or below",
                (cut, 1),
                xycoords=axes.get_xaxis_transform(),
                xytext=(0, 2 + 8 * at),
                textcoords="offset points",
                ha="left" if cut < (low + high) / 2 else "right",
                fontsize=6,
                color=style.ACCENT,
            )
    _plane(plane, data, cuts)
    for key in AXES:
        values = rows[key].to_numpy()
        sns.ecdfplot(y=values, color=COLOURS[key], linewidth=1.3, ax=quantiles)
        quantiles.annotate(
            "U (nats)" if key == "U" else "$L_{local}$",
            (1, values.max()),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[key],
            annotation_clip=False,
            parse_math=True,
        )
        for cut in cuts[key]:
            quantiles.plot([float((values <= cut).mean())], [cut], "o", color=style.ACCENT, markersize=4, zorder=4)
    style.grid(quantiles)
    quantiles.set(xlabel="share of snapshots at or below", ylabel="", xlim=(0, 1))
    method = str(record(data, "thresholds", "method"))
    style.footnote(
        figure,
        f"{count_note(rows)}; thresholds: {method}; measure of U: {record(data, 'thresholds', 'measure')}",
    )
    return figure


def _plane(axes: Axes, data: Data, cuts: dict[str, list[float]]) -> None:
    rows = labelled(data, "U", "L_local", "snapshot_id")
    ranked = {key: ranks.Ranked(rows[key]) for key in AXES}
    placed = rows.with_columns(pl.Series(key, axis.place(rows[key])) for key, axis in ranked.items())
    plots.by_kind(axes, placed, "U", "L_local", s=6, alpha=0.7, linewidth=0)
    for cut in ranked["U"].place(cuts["U"]):
        axes.axvline(cut, color=style.ACCENT, linewidth=0.8, linestyle=(0, (4, 2)))
    for cut in ranked["L_local"].place(cuts["L_local"]):
        axes.axhline(cut, color=style.ACCENT, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set(xlim=ranks.limits((0.03, 0.03)), ylim=ranks.limits((0.03, 0.03)))
    ranks.label(axes, ranked["U"], AXES["U"])
    ranks.label(axes, ranked["L_local"], AXES["L_local"], "y")
    entries = [
        (f"{q}  n = {(rows['quadrant'] == q).sum():,}", style.QUADRANT_COLOUR[q], style.QUADRANT_MARKER[q])
        for q in QUADRANTS
    ]
    plots.keys(
        axes,
        entries,
        loc="lower center",
        bbox_to_anchor=(0.46, 1.0),
        ncols=4,
        fontsize=6,
        handletextpad=0.0,
        columnspacing=0.7,
        borderpad=0.1,
    )
