"""Figure H1.5: the most teachable snapshot of each quadrant, told."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, frame, labelled, number, where
from teachable.teacher.advice import bad_action
from teachable.terms import CONDITIONS, QUADRANTS

ABOUT = {
    "hypothesis": "H1",
    "title": "Four cases",
    "caption": (
        "The most teachable snapshot of each quadrant: what the student saw and did, which command the teacher finds "
        "poor and which better, and why (poor is the student's own; where that is what the teacher advises, its next "
        "likeliest), and success from there under each condition (bars: plus and minus one stored standard error)."
    ),
    "inputs": ("labeled", "advice"),
}

OTHER = "likeliest other"  # what the advice finds poor where the student does as advised
COLOURS = {"base": style.INK, "placebo": style.MUTED, **style.FORMAT_COLOUR}


def draw(data: Data) -> Figure:
    columns = [f"p_{c}{end}" for c in CONDITIONS for end in ("", "_se")]
    rows = labelled(data, "ELP_net", "snapshot_id", "observation", "student_action", "commands", "logp", *columns)
    advice = frame(data, "advice", "snapshot_id", "suggested_action", "rationale", "why_bad").select(
        "snapshot_id", "rationale", "why_bad", advised="suggested_action"
    )
    joined = rows.join(advice.unique("snapshot_id", keep="first"), on="snapshot_id")
    if joined.is_empty():
        raise Undefined(f"The input {where('advice')} has no row for any snapshot of {where('labeled')}.")
    cases = [
        (
            q,
            joined.filter(quadrant=q).sort(["ELP_net", "snapshot_id"], descending=[True, False]).row(0, named=True),
        )
        for q in QUADRANTS
        if len(joined.filter(quadrant=q))
    ]
    figure = style.figure(style.PAGE, 1.42 * len(cases) + 0.35)
    grid = figure.subplots(len(cases), 2, width_ratios=(3.1, 1), squeeze=False)
    for at, (quadrant, case) in enumerate(cases):
        _tell(grid[at][0], quadrant, case)
        _plot(grid[at][1], case, last=at == len(cases) - 1)
    style.footnote(
        figure,
        "success from the snapshot under each condition; bars: plus and minus one stored standard error of "
        "the estimate",
    )
    return figure


def _tell(axes: Axes, quadrant: str, case: dict[str, Any]) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    colour = style.QUADRANT_COLOUR[quadrant]
    axes.plot([0, 0], [0.02, 0.98], color=colour, linewidth=2.4, solid_capstyle="butt", clip_on=False)
    facts = f"U = {number(case['U'])}   L = {number(case['L_local'])}   ELP = {number(case['ELP_net'])}"
    axes.text(
        0.02,
        0.97,
        f"{quadrant}  {style.QUADRANT_NAME[quadrant]}",
        color=colour,
        fontweight="bold",
        fontsize=7.5,
        va="top",
    )
    axes.text(
        1.0,
        0.97,
        f"{facts}   {case['family']}, step {case['step']}",
        fontsize=6,
        color=style.MUTED,
        va="top",
        ha="right",
    )
    does, advised = case["student_action"], case["advised"]
    poor = bad_action(does, advised, case["commands"], case["logp"], name=f"Snapshot {case['snapshot_id']}")
    if poor == does:
        told = [("does", does, 1), ("poor, because", case["why_bad"], 1), ("better", advised, 1)]
        told.append(("because", case["rationale"], 2))
    else:
        told = [("does", does, 1), ("right, because", case["rationale"], 2), (OTHER, poor, 1)]
        told.append(("poor, because", case["why_bad"], 1))
    lines = [("sees", case["observation"], 2), *told]
    y = 0.80
    for head, text, room in lines:
        if not text:
            continue
        body = plots.wrap(str(text), 96, room)
        strong = head in ("does", "better", OTHER)
        axes.text(0.135, y, head, fontsize=5.8, color=style.MUTED, va="top", ha="right")
        axes.text(0.15, y, body, fontsize=6.2, va="top", linespacing=1.25, fontweight="bold" if strong else "normal")
        y -= 0.115 * (body.count("\n") + 1) + 0.02


def _plot(axes: Axes, case: dict[str, Any], *, last: bool) -> None:
    for at, condition in enumerate(CONDITIONS):
        value, error = case[f"p_{condition}"], case[f"p_{condition}_se"]
        colour = COLOURS[condition]
        axes.plot([max(0, value - error), min(1, value + error)], [at, at], color=colour, linewidth=1.1)
        axes.plot([value], [at], "o", color=colour, markeredgecolor="white", markeredgewidth=0.5, markersize=4.5)
    axes.axvline(case["p_placebo"], color=style.FAINT, linewidth=0.7, zorder=0)
    axes.set_yticks(range(len(CONDITIONS)), CONDITIONS)
    axes.set(ylim=(len(CONDITIONS) - 0.4, -0.6), xlim=(-0.02, 1.02))
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"] if last else [])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if last:
        axes.set_xlabel("P(success)")
