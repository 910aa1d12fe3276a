"""Figure H2.2: the patch test by quadrant."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, interval_note, number, record, where
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H2",
    "title": "The patch test by quadrant",
    "caption": (
        "Left: Spearman correlation of ELP_net with the training effect in each quadrant. Right: mean "
        "training effect (utility)."
    ),
    "whiskers": True,
    "inputs": ("cpt_correlation",),
}


def draw(data: Data) -> Figure:
    per = record(data, "cpt_correlation", "per_quadrant")
    utility = record(data, "cpt_correlation", "utility")
    rank = {q: value for q in QUADRANTS if (value := Interval.maybe((per.get(q) or {}).get("spearman")))}
    effect = {q: value for q in QUADRANTS if (value := Interval.maybe(utility.get(q)))}
    if not rank and not effect:
        raise Undefined(
            f"The input {where('cpt_correlation')} has neither a correlation nor a utility of any quadrant."
        )
    figure = style.figure(style.COLUMN, 2.4)
    left, right = figure.subplots(1, 2)
    for axes, values, title in (
        (left, rank, "Spearman, ELP and effect"),
        (right, effect, "mean effect (utility)"),
    ):
        style.zero(axes)
        for at, quadrant in enumerate(QUADRANTS):
            if quadrant in values:
                plots.whisker(
                    axes,
                    at,
                    values[quadrant],
                    colour=style.QUADRANT_COLOUR[quadrant],
                    marker=style.QUADRANT_MARKER[quadrant],
                    size=5,
                    change=True,
                )
        axes.set_xticks(range(4), [_label(q, values) for q in QUADRANTS])
        axes.tick_params(axis="x", labelsize=5.8, length=0)
        axes.set_xlim(-0.5, 3.5)
        style.at_least(axes, 0.1)
        axes.set_title(title, fontsize=7)
    style.threshold(left, 0.2)
    style.footnote(
        figure,
        f"{interval_note([*rank.values(), *effect.values()], 'micro-trainings')} a quadrant; below each value and n; "
        f"dashed: criterion 0.2; {plots.HOLLOW}",
    )
    return figure


def _label(quadrant: str, values: Mapping[str, Interval]) -> str:
    """A quadrant, its value and its n, a line each; no value where none is defined."""
    if quadrant not in values:
        return f"{quadrant}\nnone"
    return f"{quadrant}\n{number(values[quadrant].point, signed=True)}\n{values[quadrant].n:,}"
