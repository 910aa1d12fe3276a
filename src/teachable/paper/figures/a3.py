"""Figure A3: leverage profiles by quadrant and by depth of recovery."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from teachable.paper import plots, style
from teachable.paper.inputs import Data, count_note, intervals, labelled
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "appendix",
    "title": "Leverage profiles",
    "caption": "Share of leverage profiles by quadrant, and of each profile by depth of recovery.",
    "whiskers": True,
    "inputs": ("labeled", "label_metrics"),
}

PROFILES = ("A_bottleneck", "B_trajectory", "C_deadend", "mixed")
MARKERS = {"A_bottleneck": "o", "B_trajectory": "s", "C_deadend": "D", "mixed": "^"}
DEPTHS = ("0", "1", "2", "3+")


def draw(data: Data) -> Figure:
    rows = labelled(data, "profile", "d_expert_bin") if _has_depth(data) else labelled(data, "profile")
    shares = intervals(data, "label_metrics", ("group", "metric"), metric=[f"share_profile_{p}" for p in PROFILES])
    depths = [d for d in DEPTHS if (f"d_expert={d}", "share_profile_mixed") in shares]
    figure = style.figure(style.PAGE if depths else style.COLUMN, 2.4)
    panels = figure.subplots(1, 1 + bool(depths), sharey=True, squeeze=False)[0]
    sets = [(list(QUADRANTS), list(QUADRANTS), "quadrant")]
    if depths:
        sets.append(
            (
                [f"d_expert={d}" for d in depths],
                depths,
                "recovery depth (steps back to where the expert wins)",
            )
        )
    for axes, (groups, names, title) in zip(panels, sets, strict=True):
        style.grid(axes)
        plots.grouped(
            axes,
            groups,
            PROFILES,
            lambda group, profile: shares.get((group, f"share_profile_{profile}")),
            colour=style.PROFILE_COLOUR,
            marker=MARKERS,
        )
        axes.set_xticks(range(len(groups)), names)
        axes.set_xlabel(title)
    panels[0].set_ylabel("share of snapshots")
    handles, names = _handles()
    figure.legend(handles, names, loc="outside upper center", ncols=4, columnspacing=1.2, handletextpad=0.2)
    style.footnote(figure, count_note(rows))
    return figure


def _has_depth(data: Data) -> bool:
    return bool(labelled(data, "profile")["d_expert_bin"].null_count() == 0)


def _handles() -> tuple[list[Line2D], list[str]]:
    handles: list[Line2D] = [
        Line2D([], [], linestyle="", marker=MARKERS[p], color=style.PROFILE_COLOUR[p], markersize=4) for p in PROFILES
    ]
    return handles, [style.PROFILE_NAME[p] for p in PROFILES]
