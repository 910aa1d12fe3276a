"""Figure H6.5: teachability drifts as the student learns."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, interval_note, intervals, where

ABOUT = {
    "hypothesis": "H6",
    "title": "Teachability at checkpoints of a training",
    "caption": (
        "The patch test repeated at checkpoints on the same snapshots: mean ELP_net, rank correlation with "
        "the base student's ELP_net, and share of snapshots that keep their format."
    ),
    "whiskers": True,
    "inputs": ("drift_metrics",),
}

STAGES = ("base", "first", "middle", "last")
MEASURES = {
    "ELP_net": "mean ELP$_{net}$",
    "spearman_base": "Spearman with base",
    "route_agreement": "same route as base",
}


def draw(data: Data) -> Figure:
    found = intervals(data, "drift_metrics", ("model", "metric"), panel="drift", group="all", metric=list(MEASURES))
    runs = sorted({model.split("@")[0] for model, _ in found if "@" in model})
    if not runs:
        raise Undefined(f"The input {where('drift_metrics')} has no <run>@<checkpoint>.")
    figure = style.figure(style.PAGE, 2.3)
    for axes, (metric, title) in zip(figure.subplots(1, 3), MEASURES.items(), strict=True):
        style.grid(axes)
        if metric == "ELP_net":
            style.zero(axes)
        for at, run in enumerate(runs):
            colour, shift = style.model_colour(run), 0.1 * (at - (len(runs) - 1) / 2)
            points = [
                (k, found.get(("base" if stage == "base" else f"{run}@{stage}", metric)))
                for k, stage in enumerate(STAGES)
            ]
            known = [(k + shift * (k > 0), value) for k, value in points if value is not None]
            axes.plot([k for k, _ in known], [v.point for _, v in known], color=colour, linewidth=1.2, zorder=2)
            for k, value in known:
                plots.whisker(
                    axes,
                    k,
                    value,
                    colour=style.INK if k == 0 else colour,
                    marker=style.BASE_MARKER if k == 0 else style.model_marker(run),
                    change=metric != "route_agreement",
                )
        axes.set_xticks(range(4), STAGES)
        axes.set_xlim(-0.4 if metric == "ELP_net" else 0.6, 3.4)
        style.at_least(axes, 0.1)
        axes.set_title(title)
    plots.keys(
        figure.axes[0],
        [(style.name(run), style.model_colour(run), style.model_marker(run)) for run in runs],
        loc="best",
    )
    style.footnote(
        figure,
        f"the same drift panel at every checkpoint, {interval_note(found.values(), 'snapshots')}; {plots.HOLLOW}",
    )
    return figure
