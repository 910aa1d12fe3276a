"""Figure H1.3: which format is best, by quadrant."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, intervals, labelled
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H1",
    "title": "Best format by quadrant",
    "caption": (
        "Share of snapshots whose best format (route) is a demonstration, a contrast or a hint, by quadrant. "
        "The dashed line is one third."
    ),
    "whiskers": True,
    "inputs": ("labeled", "label_metrics"),
}


def draw(data: Data) -> Figure:
    rows = labelled(data, "route", "route_tied")
    metrics = [f"share_route_{kind}" for kind in FORMATS]
    shares = intervals(data, "label_metrics", ("group", "metric"), metric=metrics, group=["all", *QUADRANTS])
    figure, axes = style.single(style.COLUMN, 2.5)
    style.grid(axes)
    axes.axhline(1 / 3, color=style.MUTED, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    groups = [*QUADRANTS, "all"]
    plots.grouped(
        axes,
        groups,
        FORMATS,
        lambda group, kind: shares.get((group, f"share_route_{kind}")),
        colour=style.FORMAT_COLOUR,
        marker=style.FORMAT_MARKER,
    )
    counts = {group: len(rows) if group == "all" else int((rows["quadrant"] == group).sum()) for group in groups}
    axes.set_xticks(range(len(groups)), [f"{group}\nn = {counts[group]:,}" for group in groups])
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.axvline(3.5, color=style.FAINT, linewidth=0.6)
    axes.set_ylabel("share of snapshots")
    plots.keys(
        axes,
        [(kind, style.FORMAT_COLOUR[kind], style.FORMAT_MARKER[kind]) for kind in FORMATS],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.12),
        ncols=3,
    )
    near = float(rows["route_tied"].cast(float).mean() or 0.0)  # type: ignore[arg-type]
    style.footnote(
        figure,
        f"{rows['task_id'].n_unique():,} games; route: the format with the largest net gain; of {near:.0%} the second "
        "lies within the margin labels.tie_margin of it",
    )
    return figure
