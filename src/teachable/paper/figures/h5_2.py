"""Figure H5.2: retention at checkpoints."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, interval_note, intervals, where

ABOUT = {
    "hypothesis": "H5",
    "title": "Retention during training",
    "caption": (
        "Success on tasks that the base student wins, at the first, middle and last checkpoint. The dashed "
        "line is 10 points below the base student."
    ),
    "whiskers": True,
    "inputs": ("checkpoints",),
}

STAGES = ("base", "first", "middle", "last")


def draw(data: Data) -> Figure:
    found = intervals(data, "checkpoints", "model", panel="retention", group="all", metric="success")
    runs = sorted({model.split("@")[0] for model in found if "@" in model})
    if not runs or "base" not in found:
        raise Undefined(
            f"The input {where('checkpoints')} lacks the base student or every <run>@<checkpoint> on the "
            "retention panel."
        )
    base = found["base"]
    height = 2.5 + 0.11 * max(0, len(runs) - 8)  # a line of names a run
    edge = 3.25 if len(runs) <= 8 else 3.35
    figure, axes = style.single(style.COLUMN, height)
    style.grid(axes)
    if not math.isnan(base.low):
        axes.axhspan(base.low, base.high, color=style.GRID, linewidth=0, zorder=0)
    style.threshold(axes, base.point - 0.10, text="10 points below base", left=True)
    ends = []
    for at, run in enumerate(runs):
        colour = style.model_colour(run)
        shift = min(0.09, 0.4 / len(runs)) * (at - (len(runs) - 1) / 2)
        points = [(k, found.get("base" if stage == "base" else f"{run}@{stage}")) for k, stage in enumerate(STAGES)]
        known = [(k, value) for k, value in points if value is not None]
        axes.plot(
            [k + shift * (k > 0) for k, _ in known],
            [v.point for _, v in known],
            color=colour,
            linewidth=1.3,
            zorder=2,
        )
        for k, value in known[1:]:
            plots.whisker(axes, k + shift, value, colour=colour, marker=style.model_marker(run))
        ends.append(known[-1][1].point)
    plots.whisker(axes, 0, base, colour=style.INK)
    low, high = axes.get_ylim()
    places = plots.spread(ends, (high - low) * 0.175 / height)
    inward = max(0.0, low - min(places)) - max(0.0, max(places) - high)
    for run, place in zip(runs, [place + inward for place in places], strict=True):
        axes.annotate(
            style.name(run),
            (edge - 0.05, place),
            va="center",
            fontsize=6.5,
            color=style.model_colour(run),
            annotation_clip=False,
        )
    axes.set_xticks(range(4), ["base", "first", "middle", "last"])
    axes.set(xlim=(-0.25, edge), xlabel="checkpoint", ylabel="success on retention tasks")
    style.footnote(figure, f"{interval_note(found.values(), 'episodes')}; band: base student's 95 % interval")
    return figure
