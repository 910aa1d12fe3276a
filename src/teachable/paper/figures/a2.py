"""Figure A2: one snapshot as three kinds of supervision."""

from __future__ import annotations

import textwrap

import polars as pl
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, frame, ordered
from teachable.terms import FORMATS

ABOUT = {
    "hypothesis": "appendix",
    "title": "One snapshot, three kinds of supervision",
    "caption": (
        "The prompt and completion that the same snapshot gives in each format, as trained on (long prompts "
        "are cut in the middle, marked by an ellipsis)."
    ),
    "inputs": ("examples",),
}

WIDTH, LINES = 42, 34  # of the prompt, in characters and lines


def draw(data: Data) -> Figure:
    rows = frame(data, "examples", "snapshot_id", "format", "prompt", "completion", "quadrant")
    # The snapshot that was used in most formats, the first by name among equals.
    choice = (
        rows.group_by("snapshot_id")
        .agg(pl.col("format").n_unique())
        .sort(["format", "snapshot_id"], descending=[True, False])
    )["snapshot_id"][0]
    part = (
        rows.filter(pl.col("snapshot_id") == choice)
        .sort("run", "example_id")
        .unique("format", keep="first", maintain_order=True)
    )
    kinds = ordered(part["format"], FORMATS)
    bodies = {kind: _cut(part.filter(format=kind)["prompt"][0]) for kind in kinds}
    tall = max(len(body) for body in bodies.values())
    figure = style.figure(style.PAGE if len(kinds) > 1 else style.COLUMN, 0.9 + 0.096 * tall)
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        axes.set(xlim=(0, 1), ylim=(tall + 3.2, -0.6))
        axes.set_axis_off()
        colour = style.FORMAT_COLOUR[kind]
        axes.plot([0, 1], [-0.6, -0.6], color=colour, linewidth=2, clip_on=False)
        axes.set_title(kind, color=colour)
        for at, line in enumerate(bodies[kind]):
            axes.text(0, at + 0.5, line, family="DejaVu Sans Mono", fontsize=style.SMALLEST, va="center")
        axes.text(
            0,
            tall + 1.4,
            plots.wrap(part.filter(format=kind)["completion"][0], 40, 2),
            fontsize=5.6,
            fontweight="bold",
            va="top",
            color=colour,
        )
    quadrant = part["quadrant"][0]
    style.footnote(
        figure, f"snapshot {choice} ({quadrant}); below in bold: the completion, which alone carries the loss"
    )
    return figure


def _cut(prompt: str) -> list[str]:
    """The prompt in lines of WIDTH characters; the middle of a long one becomes an ellipsis."""
    lines = [part for line in prompt.strip().splitlines() for part in (textwrap.wrap(line, WIDTH) or [""])]
    if len(lines) <= LINES:
        return lines
    head = LINES // 3
    return [*lines[:head], "   …", *lines[-(LINES - head - 1) :]]
