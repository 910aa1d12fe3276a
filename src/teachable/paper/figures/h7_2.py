"""Figure H7.2: selection methods at the smallest k, reliability against forgetting."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, interval_note, intervals, where
from teachable.terms import selection_of

ABOUT = {
    "hypothesis": "H7",
    "title": "Selection: success against retention",
    "caption": (
        "Success from failure states against success on tasks that the base student wins, one run per "
        "selection method at the smallest k. The steps are the Pareto frontier."
    ),
    "whiskers": True,
    "inputs": ("selection_metrics",),
}


def draw(data: Data) -> Figure:
    level = {
        p: intervals(data, "selection_metrics", "model", panel=p, group="all", metric="success")
        for p in ("failure", "retention")
    }
    both = [model for model in level["failure"] if model in level["retention"]]
    smallest = min((found[1] for model in both if (found := selection_of(model))), default=None)
    models = [model for model in both if model == "base" or (selection_of(model) or ("", None))[1] == smallest]
    if smallest is None:
        raise Undefined(
            f"The input {where('selection_metrics')} has no run with success on both failure and retention."
        )
    points = [(level["retention"][m].point, level["failure"][m].point) for m in models]
    figure, axes = style.single(style.COLUMN, 2.8)
    for model, (x, y) in zip(models, points, strict=True):
        colour = style.model_colour(model)
        across, up = level["retention"][model], level["failure"][model]
        axes.plot([across.low, across.high], [y, y], color=colour, linewidth=0.8, alpha=0.5, zorder=2)
        axes.plot([x, x], [up.low, up.high], color=colour, linewidth=0.8, alpha=0.5, zorder=2)
        axes.plot(
            [x],
            [y],
            style.BASE_MARKER if model == "base" else "o",
            color=colour,
            markersize=5.5,
            markeredgewidth=0.5,
            markeredgecolor="white",
            zorder=4,
        )
    front = plots.pareto(points)
    plots.staircase(axes, [points[i] for i in front])
    axes.set(xlabel="success on retention tasks", ylabel="success from failure states")
    style.at_least(axes, 0.1)
    style.at_least(axes, 0.1, "x")
    plots.label_points(
        axes,
        points,
        [style.name((selection_of(m) or (m, 0))[0]) for m in models],
        colours=[style.model_colour(m) for m in models],
    )
    shown = [level[p][m] for p in level for m in models]
    style.footnote(
        figure, f"k = {smallest}; {interval_note(shown, 'episodes')}; whiskers: 95 % intervals, clustered by game"
    )
    return figure
