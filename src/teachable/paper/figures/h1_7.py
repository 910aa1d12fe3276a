"""Figure H1.7: how the snapshots fall into quadrants, by family and by planted skill."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, intervals, where
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H1",
    "title": "Distribution of quadrants",
    "caption": (
        "Share of the labelled snapshots in each quadrant: all of them, by family of games, and, where skills were "
        "planted as lacking, of the snapshots at which such a skill is needed. The dashed line is one quarter. Below "
        "each group its snapshots and games, and how many snapshots lie in Q1, Q2, Q3 and Q4."
    ),
    "whiskers": True,
    "inputs": ("quadrant_shares",),
}

SKILL = "skill="


def draw(data: Data) -> Figure:
    shares = intervals(
        data, "quadrant_shares", ("group", "metric"), panel="labeled", metric=[f"share_{q}" for q in QUADRANTS]
    )
    groups = list(dict.fromkeys(group for group, _ in shares))
    if "all" not in groups:
        raise Undefined(f"The input {where('quadrant_shares')} has no shares of all snapshots.")
    families = [group for group in groups if group != "all" and not group.startswith(SKILL)]
    skills = [group for group in groups if group.startswith(SKILL)]
    sets = [(["all"], ""), (families, "by family"), (skills, "by planted skill")]
    sets = [(names, title) for names, title in sets if names]
    figure = style.figure(style.PAGE, 2.9)
    panels = figure.subplots(
        1, len(sets), sharey=True, squeeze=False, gridspec_kw={"width_ratios": [len(names) + 0.3 for names, _ in sets]}
    )[0]
    for axes, (names, title) in zip(panels, sets, strict=True):
        style.grid(axes)
        axes.axhline(0.25, color=style.MUTED, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
        plots.grouped(
            axes,
            names,
            QUADRANTS,
            lambda group, quadrant: shares.get((group, f"share_{quadrant}")),
            colour=style.QUADRANT_COLOUR,
            marker=style.QUADRANT_MARKER,
            width=0.48,
        )
        axes.set_xticks(range(len(names)), [_label(group, shares) for group in names], fontsize=5.8)
        axes.set_title(title)
    panels[0].set_ylim(-0.03, min(1.03, 0.04 + max(max(value.point, value.high) for value in shares.values())))
    panels[0].set_ylabel("share of snapshots")
    handles = [
        Line2D([], [], linestyle="", marker=style.QUADRANT_MARKER[q], color=style.QUADRANT_COLOUR[q], markersize=4)
        for q in QUADRANTS
    ]
    names = [f"{q}: {style.QUADRANT_NAME[q]}" for q in QUADRANTS]
    figure.legend(handles, names, loc="outside upper center", ncols=4, columnspacing=1.2, handletextpad=0.2)
    whole = shares["all", "share_Q1"]
    style.footnote(
        figure,
        f"n = {whole.n:,} snapshots in {whole.clusters:,} games; below each group: snapshots / games, then "
        "snapshots by quadrant",
    )
    return figure


def _label(group: str, shares: dict[tuple[str, str], Interval]) -> str:
    """Name, snapshots and games of a group, and its snapshots in each quadrant, a line each."""
    found = {q: shares[group, f"share_{q}"] for q in QUADRANTS if (group, f"share_{q}") in shares}
    whole = next(iter(found.values()))
    counts = [f"{quadrant} {round(value.point * value.n):,}" for quadrant, value in found.items()]
    return "\n".join([group.removeprefix(SKILL), f"{whole.n:,} / {whole.clusters:,}", *counts])
