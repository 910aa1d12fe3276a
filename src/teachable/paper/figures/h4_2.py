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
        "Left: every cell of the transfer matrix, trained and evaluated on the same quadrant or not. Right: "
        "diagonal minus off-diagonal, paired; the grey range is where it lies in 95 of 100 cases when the "
        "quadrant labels of the same held-out snapshots are permuted."
    ),
    "whiskers": True,
    "inputs": ("transfer", "contrasts"),
}

DIAGONAL = "transfer_diagonal_minus_off"
PERMUTED = "transfer_diagonal_permutation"
NAMES = {DIAGONAL: "mean of\nformats", **{f"{DIAGONAL}_{kind}": kind for kind in FORMATS}}


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
                value = cells[trained, tested]
                plots.whisker(
                    left,
                    at + 0.18 * (k - 1.5),
                    value,
                    colour=style.QUADRANT_COLOUR[tested],
                    marker=style.QUADRANT_MARKER[tested],
                    hollow=trained != tested,
                    size=5.5 if trained == tested else 4,
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
        )
        right.annotate(
            gaps[name].text(signed=True).replace(" [", "\n["),
            (at, gaps[name].high),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=5.6,
            path_effects=style.HALO,
        )
    right.set_xticks(range(len(shown)), [NAMES[name] for name in shown])
    right.tick_params(axis="x", length=0)
    right.set_xlim(-0.6, len(shown) - 0.4)
    low, high = right.get_ylim()
    right.set_ylim(min(low, -0.02), max(high * 1.22, 0.13))
    style.threshold(right, 0.10)
    right.set_ylabel("diagonal minus off-diagonal")
    style.footnote(
        figure,
        "filled: matched, hollow: mismatched; dashed: 0.10; grey: 95 % of permuted labels; "
        f"{interval_note([*cells.values(), *gaps.values()], 'episodes')}",
    )
    return figure
