"""Figure H5.1: gains from failure states, every run."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, interval_note, intervals

ABOUT = {
    "hypothesis": "H5",
    "title": "Change in success from failure states",
    "caption": (
        "Paired change in success from the failure panel against the base student, every run. Hollow where 0 is inside."
    ),
    "whiskers": True,
    "inputs": ("contrasts",),
}


def draw(data: Data) -> Figure:
    gains = intervals(data, "contrasts", "model", reference="base", panel="failure", group="all", metric="success")
    rows = sorted(gains.items(), key=lambda item: (-item[1].point, item[0]))
    figure, axes = style.single(style.COLUMN, 0.7 + 0.165 * len(rows))
    plots.forest(axes, rows, colour=style.model_colour, marker=style.model_marker)
    style.zero(axes, "x")
    style.at_least(axes, 0.1, "x")
    for label, (model, _) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(style.model_colour(model))
    axes.set_xlabel("change in success from failure states against base")
    style.footnote(
        figure,
        f"paired with base on the same snapshots; {interval_note(gains.values(), 'episodes')}; {plots.HOLLOW}",
    )
    return figure
