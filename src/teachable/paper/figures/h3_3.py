"""Figure H3.3: what each form of supervision adds to replay alone."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, interval_note, intervals
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H3",
    "title": "Supervision against replay alone",
    "caption": (
        "Paired change in success against C_replay, the same training without an example, by form of supervision: on "
        "the held-out failures of the quadrant a run was trained on, and the mean of the four quadrants. Hollow where "
        "0 is inside."
    ),
    "whiskers": True,
    "inputs": ("effectiveness",),
}


def draw(data: Data) -> Figure:
    found = intervals(data, "effectiveness", ("group", "model"), panel="failure", metric="success", model=list(FORMATS))
    figure, axes = style.single(style.COLUMN, 2.5)
    style.grid(axes)
    style.zero(axes)
    groups = ["all", *QUADRANTS]
    width = 0.6 / len(FORMATS)
    for at, group in enumerate(groups):
        for place, kind in enumerate(FORMATS):
            value = found.get((group, kind))
            if value is not None:
                plots.whisker(
                    axes,
                    at + (place - (len(FORMATS) - 1) / 2) * width,
                    value,
                    colour=style.FORMAT_COLOUR[kind],
                    marker=style.FORMAT_MARKER[kind],
                    change=True,
                )
    axes.set_xticks(range(len(groups)), ["mean of\nquadrants", *QUADRANTS])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.axvline(0.5, color=style.FAINT, linewidth=0.6)
    style.at_least(axes, 0.1)
    axes.set_ylabel("change in success\nagainst replay alone")
    plots.keys(
        axes,
        [(kind, style.FORMAT_COLOUR[kind], style.FORMAT_MARKER[kind]) for kind in FORMATS],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.12),
        ncols=len(FORMATS),
    )
    style.footnote(
        figure,
        f"paired on the same snapshots; {interval_note(found.values(), 'episodes')}; {plots.HOLLOW}",
    )
    return figure
