"""Figure H5.3: gain from failure states against what is forgotten."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, interval_note, intervals, where
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H5",
    "title": "Success from failures against retention",
    "caption": (
        "Each run's paired change in success from failure states against its change on tasks the base student"
        " wins. Colour: quadrant; marker: format. The steps are the Pareto frontier; named, where "
        "there is room, are its runs and those of no quadrant; right of the dashed line"
        " less than 10 points are forgotten."
    ),
    "whiskers": True,
    "inputs": ("contrasts",),
    "minimum": True,
}


def draw(data: Data) -> Figure:
    figure, axes = style.single(style.COLUMN, 3.1)
    values = panel(axes, data)
    entries = [(q, style.QUADRANT_COLOUR[q], "o") for q in QUADRANTS]
    entries += [(kind, style.MUTED, style.FORMAT_MARKER[kind]) for kind in FORMATS]
    plots.keys(
        axes,
        entries,
        loc="upper center",
        bbox_to_anchor=(0.46, 1.1),
        ncols=7,
        columnspacing=0.7,
        handletextpad=0.0,
    )
    style.footnote(figure, f"paired with base on the same games; {interval_note(values, 'episodes')}")
    return figure


def panel(axes: Axes, data: Data) -> list[Interval]:
    """Draw into ``axes``; returns the intervals shown."""
    gain = {
        p: intervals(data, "contrasts", "model", reference="base", panel=p, group="all", metric="success")
        for p in ("failure", "retention")
    }
    models = [m for m in gain["failure"] if m in gain["retention"]]
    if not models:
        raise Undefined(f"The input {where('contrasts')} has no run with both a failure and a retention contrast.")
    points = [(gain["retention"][m].point, gain["failure"][m].point) for m in models]
    for model, point in zip(models, points, strict=True):
        colour = style.model_colour(model)
        x, y = gain["retention"][model], gain["failure"][model]
        axes.plot([x.low, x.high], [point[1]] * 2, color=colour, linewidth=0.6, alpha=0.45, zorder=2)
        axes.plot([point[0]] * 2, [y.low, y.high], color=colour, linewidth=0.6, alpha=0.45, zorder=2)
        axes.plot(
            *[[v] for v in point],
            style.model_marker(model),
            color=colour,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            zorder=4,
        )
    axes.plot([0], [0], style.BASE_MARKER, color=style.INK, markersize=5, markeredgecolor="white", zorder=4)
    every = [*points, (0.0, 0.0)]
    front = plots.pareto(every)
    plots.staircase(axes, [every[i] for i in front])
    style.zero(axes)
    style.zero(axes, "x")
    axes.axvline(-0.10, color=style.ACCENT, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    axes.set(xlabel="change in retention", ylabel="change in success from failures")
    axes.set_xlim(min(axes.get_xlim()[0], -0.115), axes.get_xlim()[1])
    axes.annotate(
        "10 points forgotten",
        (-0.10, 0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(2, 3),
        rotation=90,
        textcoords="offset points",
        fontsize=style.SMALLEST,
        color=style.ACCENT,
        va="bottom",
    )
    style.at_least(axes, 0.1)
    axes.locator_params(axis="x", nbins=5)
    named = [i for i, m in enumerate(models) if i in front or not m.startswith("Q")]
    plots.label_points(
        axes,
        [points[i] for i in named] + [(0.0, 0.0)],
        [style.name(models[i]) for i in named] + ["base"],
        obstacles=points,
        colours=[style.model_colour(models[i]) for i in named] + [style.INK],
        size=5.6,
    )
    return [gain[p][m] for p in gain for m in models]
