"""Figure H1.6: where failures are decided, by the distance to the deciding decision."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, interval_note, intervals, where

ABOUT = {
    "hypothesis": "H1",
    "title": "Labels by distance to the deciding decision",
    "caption": (
        "Labels by the distance to the deciding decision: the last one from which the task could still be "
        "won, where the world can tell, else the last of the episode."
    ),
    "whiskers": True,
    "inputs": ("label_metrics",),
}

METRICS = {
    "L_local": "leverage\nL$_{local}$",
    "ELP_net_debiased": "ELP$_{net}$,\nbias-corrected",
    "U": "uncertainty\nU (nats)",
    "already_right": "likeliest command\nalready right",
}
CHANGES = ("L_local", "ELP_net_debiased")
PREFIX = "distance="


def draw(data: Data) -> Figure:
    found = intervals(data, "label_metrics", ("metric", "group"), panel="labeled", metric=list(METRICS))
    distances = sorted({int(group.removeprefix(PREFIX)) for _, group in found if group.startswith(PREFIX)})
    if not distances:
        raise Undefined(f"The input {where('label_metrics')} has no group {PREFIX}<n>.")
    figure = style.figure(style.PAGE, 2.1)
    shown = []
    for axes, (metric, title) in zip(figure.subplots(1, 4), METRICS.items(), strict=True):
        for distance in distances:
            value = found.get((metric, f"{PREFIX}{distance}"))
            if value is not None:
                plots.whisker(axes, distance, value, colour=style.INK, change=metric in CHANGES)
                shown.append(value)
        if metric == "already_right":
            axes.set_ylim(0, 1)
        else:
            style.zero(axes)
            style.at_least(axes, 0.1)
        axes.set_title(title, fontsize=7)
        axes.set_xticks(distances)
        axes.set_xlabel("distance")
    style.footnote(figure, f"distance 1: the deciding decision; {interval_note(shown, 'snapshots')}; {plots.HOLLOW}")
    return figure
