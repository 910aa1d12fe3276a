"""Figure A1: the placebo control."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, interval_note, intervals
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "appendix",
    "title": "Placebo control",
    "caption": (
        "Mean change in success over the unpatched context of a content-free patch and of each format, by "
        "quadrant. The band is plus and minus 0.05."
    ),
    "whiskers": True,
    "inputs": ("label_metrics",),
}

COLUMNS = {"placebo": "placebo_gain", **{kind: f"raw_{kind}" for kind in FORMATS}}
COLOURS = {"placebo": style.INK, **style.FORMAT_COLOUR}
MARKERS = {"placebo": "D", **style.FORMAT_MARKER}
TOLERANCE = 0.05


def draw(data: Data) -> Figure:
    groups = ["all", "winnable", *QUADRANTS]
    found = intervals(data, "label_metrics", ("group", "metric"), metric=list(COLUMNS.values()), group=groups)
    groups = [group for group in groups if any((group, metric) in found for metric in COLUMNS.values())]
    figure, axes = style.single(style.COLUMN, 2.6)
    axes.axhspan(-TOLERANCE, TOLERANCE, color=style.GRID, linewidth=0, zorder=0)
    style.zero(axes)
    plots.grouped(
        axes,
        groups,
        tuple(COLUMNS),
        lambda group, kind: found.get((group, COLUMNS[kind])),
        colour=COLOURS,
        marker=MARKERS,
        width=0.54,
        change=True,
    )
    axes.set_xticks(range(len(groups)), [{"winnable": "expert\ncan win"}.get(group, group) for group in groups])
    axes.tick_params(axis="x", length=0)
    axes.axvline(1.5 if "winnable" in groups else 0.5, color=style.FAINT, linewidth=0.6)
    axes.set_ylabel("change in success over no patch")
    plots.keys(
        axes,
        [(kind, COLOURS[kind], MARKERS[kind]) for kind in COLUMNS],
        loc="upper center",
        bbox_to_anchor=(0.45, 1.12),
        ncols=4,
        columnspacing=1.0,
        handletextpad=0.1,
    )
    style.footnote(
        figure, f"{interval_note(found.values(), 'snapshots')}; band: plus and minus {TOLERANCE}; {plots.HOLLOW}"
    )
    return figure
