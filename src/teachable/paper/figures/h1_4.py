"""Figure H1.4: upper against local leverage, with the profiles."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from teachable.paper import plots, style
from teachable.paper.inputs import Data, count_note, intervals, labelled

ABOUT = {
    "hypothesis": "H1",
    "title": "Upper against local leverage",
    "caption": (
        "Upper leverage (expert to the end) against local leverage (one expert action, then the student). On "
        "the diagonal one action suffices; shaded are the profiles of the protocol, with their share of "
        "snapshots and its 95 % interval."
    ),
    "inputs": ("labeled", "label_metrics"),
}

MARKERS = {"A_bottleneck": "o", "B_trajectory": "s", "C_deadend": "D", "mixed": "^"}


def draw(data: Data) -> Figure:
    rows = labelled(data, "L_local", "L_upper", "profile")
    shares = intervals(data, "label_metrics", "metric", group="all", metric=[f"share_profile_{p}" for p in MARKERS])
    figure, axes = style.single(style.COLUMN, 3.3)
    x, y = rows["L_local"].to_numpy(), rows["L_upper"].to_numpy()
    left, right = min(-0.1, float(x.min()) - 0.05), max(0.6, float(x.max()) + 0.05)
    low, high = min(-0.1, float(y.min()) - 0.05), max(0.6, float(y.max()) + 0.05)
    top = high + 2
    regions = {  # the definitions of the protocol, as areas of the plane
        "A_bottleneck": [(0.3, 0.3), (0.3, 0.5), (right, right + 0.2), (right, 0.3)],
        "B_trajectory": [(left, 0.3), (left, top), (0.2, top), (0.2, 0.4), (0.1, 0.3)],
        "C_deadend": [(left, low), (left, 0.3), (right, 0.3), (right, low)],
    }
    for profile, corners in regions.items():
        axes.add_patch(Polygon(corners, facecolor=style.PROFILE_COLOUR[profile], alpha=0.09, linewidth=0, zorder=0))
    ends = (min(left, low), max(right, high))
    axes.plot(ends, ends, color=style.MUTED, linewidth=0.7, zorder=1)
    size = float(np.clip(2200 / len(rows), 5, 24))
    plots.by_kind(
        axes,
        rows,
        "L_local",
        "L_upper",
        "profile",
        colour=style.PROFILE_COLOUR,
        marker=MARKERS,
        s=size,
        alpha=0.8,
        linewidth=0.3,
        zorder=2,
    )
    entries = []
    for profile, marker in MARKERS.items():
        share = shares.get(f"share_profile_{profile}")
        text = f"{style.PROFILE_NAME[profile]}  {share.text()}" if share else f"{style.PROFILE_NAME[profile]}  none"
        entries.append((text, style.PROFILE_COLOUR[profile], marker))
    axes.set(
        xlim=(left, right),
        ylim=(low, high),
        xlabel="local leverage $L_{local}$ (one expert action)",
        ylabel="upper leverage $L_{upper}$ (expert to the end)",
    )
    plots.keys(
        axes,
        entries,
        loc="upper center",
        bbox_to_anchor=(0.45, 1.16),
        ncols=2,
        columnspacing=1.0,
        handletextpad=0.2,
    )
    style.footnote(
        figure,
        f"{count_note(rows)}; line: one action suffices; brackets: 95 % intervals of the share, clustered by game",
    )
    return figure
