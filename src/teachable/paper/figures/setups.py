"""Figure Setups: the labels of the expert's failures beside those of the student's."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, intervals, where
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "appendix",
    "title": "Setup B beside the student's failures",
    "caption": (
        "Labels at the failures of the expert's own episodes (setup B) beside those at the student's: share of each "
        "quadrant, cut where the student's snapshots are; mean uncertainty; mean leverage and ELP net. In every case "
        "it is the student that plays on from the snapshot. Setup B enters no other figure unless labels.setup_b asks "
        "for it."
    ),
    "whiskers": True,
    "inputs": ("setups",),
}

STUDENT, EXPERT = "student", "expert"  # panels
SHARES = tuple(f"share_{quadrant}" for quadrant in QUADRANTS)
MEANS = ("U", "L_local", "L_upper", "ELP_net")
COLOUR = {STUDENT: style.INK, EXPERT: style.FORMAT_COLOUR["contrast"]}
MARKER = {STUDENT: "o", EXPERT: "D"}
NAMES = {"U": "U", "L_local": "L local", "L_upper": "L upper", "ELP_net": "ELP net"}


def draw(data: Data) -> Figure:
    found = intervals(data, "setups", ("metric", "panel"), panel=[STUDENT, EXPERT])
    sides = {panel for _, panel in found}
    if EXPERT not in sides:
        raise Undefined(f"{where('setups')}: no failure of the expert's episodes (setup B) was labelled.")
    figure = style.figure(style.PAGE, 2.4)
    panels = figure.subplots(1, 3, gridspec_kw={"width_ratios": [4, 1.4, 3]})
    groups = ((SHARES, list(QUADRANTS)), (MEANS[:1], [NAMES["U"]]), (MEANS[1:], [NAMES[name] for name in MEANS[1:]]))
    for axes, (metrics, names) in zip(panels, groups, strict=True):
        style.grid(axes)
        plots.grouped(
            axes,
            metrics,
            (STUDENT, EXPERT),
            lambda metric, side: found.get((metric, side)),
            colour=COLOUR,
            marker=MARKER,
            width=0.3,
        )
        axes.set_xticks(range(len(metrics)), names)
    panels[0].axhline(0.25, color=style.MUTED, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    panels[0].set_ylabel("share of snapshots")
    panels[1].set_ylabel("uncertainty (nats, or as the measure is)")
    style.zero(panels[2])
    panels[2].set_ylabel("probability")
    handles = [
        Line2D([], [], linestyle="", marker=MARKER[side], color=COLOUR[side], markersize=4)
        for side in (STUDENT, EXPERT)
    ]
    figure.legend(
        handles,
        ["the student's failures", "the expert's failures (setup B)"],
        loc="outside upper center",
        ncols=2,
        columnspacing=1.6,
        handletextpad=0.2,
    )
    counts = [
        f"{side}: n = {found['U', side].n:,} in {found['U', side].clusters:,} games" for side in (STUDENT, EXPERT)
    ]
    style.footnote(figure, f"snapshots, {'; '.join(counts)}; a game may have failures of both; dashed: one quarter")
    return figure
