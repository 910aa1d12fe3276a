"""Figure H4.2: matched against mismatched training."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, frame, interval_note, intervals
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H4",
    "title": "Matched against mismatched training",
    "caption": (
        "Left: every cell of the transfer matrix; shaded where trained and evaluated on the same quadrant. Right: "
        "diagonal minus off-diagonal, paired; the grey range is where it lies in 95 of 100 cases when the "
        "quadrant labels of the same held-out snapshots are permuted."
    ),
    "whiskers": True,
    "inputs": ("transfer", "contrasts"),
}

DIAGONAL = "transfer_diagonal_minus_off"
PERMUTED = "transfer_diagonal_permutation"
NAMES = {DIAGONAL: "mean", **{f"{DIAGONAL}_{kind}": kind for kind in FORMATS}}


def draw(data: Data) -> Figure:
    cells = intervals(data, "transfer", ("trained_on", "evaluated_on"), format="mean")
    gaps = intervals(
        data, "contrasts", "contrast", contrast=list(NAMES), panel="failure", group="all", metric="success"
    )
    figure = style.figure(style.PAGE, 2.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    style.zero(left)
    for at, trained in enumerate(QUADRANTS):
        for k, tested in enumerate(QUADRANTS):
            if (trained, tested) in cells:
                place = at + 0.18 * (k - 1.5)
                if trained == tested:
                    left.axvspan(place - 0.085, place + 0.085, color=style.GRID, linewidth=0, zorder=0)
                plots.whisker(
                    left,
                    place,
                    cells[trained, tested],
                    colour=style.QUADRANT_COLOUR[tested],
                    marker=style.QUADRANT_MARKER[tested],
                    change=True,
                )
    left.set_xticks(range(4), [f"trained on {q}" for q in QUADRANTS])
    left.tick_params(axis="x", length=0)
    left.set_ylabel("change in success")
    plots.keys(
        left,
        [(f"evaluated on {q}", style.QUADRANT_COLOUR[q], style.QUADRANT_MARKER[q]) for q in QUADRANTS],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.13),
        ncols=4,
        columnspacing=1.0,
        handletextpad=0.1,
    )
    style.at_least(left, 0.1)
    style.zero(right)
    shown = [name for name in NAMES if name in gaps]
    null = frame(data, "contrasts", "contrast", "low", "high").filter(contrast=PERMUTED).drop_nulls(["low", "high"])
    if DIAGONAL in shown and len(null):  # what the mean of formats gives when quadrant labels carry no meaning
        at = shown.index(DIAGONAL)
        right.fill_between(
            [at - 0.3, at + 0.3], null["low"][0], null["high"][0], color=style.FAINT, zorder=1, linewidth=0
        )
    for at, name in enumerate(shown):
        kind = name.removeprefix(DIAGONAL).removeprefix("_")
        plots.whisker(
            right,
            at,
            gaps[name],
            colour=style.FORMAT_COLOUR.get(kind, style.INK),
            size=5.5,
            marker=style.FORMAT_MARKER.get(kind, "D"),
            change=True,
        )
    said = [f"{NAMES[name]}\n{gaps[name].text(signed=True).replace(' ', chr(10))}" for name in shown]
    right.set_xticks(range(len(shown)), said, fontsize=5.8)
    right.tick_params(axis="x", length=0)
    right.set_xlim(-0.6, len(shown) - 0.4)
    low, high = right.get_ylim()
    right.set_ylim(min(low, -0.02), max(high, 0.13))
    style.threshold(right, 0.10)
    right.set_ylabel("diagonal minus off-diagonal")
    style.footnote(
        figure,
        f"shaded: matched; {plots.HOLLOW}; right: dashed 0.10, grey 95 % of permuted labels, mean of the formats; "
        f"{interval_note([*cells.values(), *gaps.values()], 'episodes')}",
    )
    return figure
