"""Figure H7.1: what training on a fixed budget of snapshots gains, by how they were chosen."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import marks, style
from teachable.paper.inputs import Data, Interval, interval_note, intervals, ordered

PANELS = {"failure": "from failure states", "test": "test tasks", "retention": "retention"}


def draw(data: Data) -> Figure:
    figure = style.figure(style.PAGE, 2.3)
    shown: list[Interval] = []
    for at, (axes, (panel_name, title)) in enumerate(
        zip(figure.subplots(1, 3, sharey=True), PANELS.items(), strict=True)
    ):
        shown += panel(axes, data, panel_name)
        axes.set_title(title)
        axes.set_xlabel("success")
        if at:
            axes.tick_params(axis="y", labelleft=False)
    style.footnote(figure, f"{interval_note(shown, 'episodes')}; line and band: base student and its 95 % interval")
    return figure


def panel(axes: Axes, data: Data, panel_name: str = "failure") -> list[Interval]:
    """Draw one panel into ``axes``; returns the intervals shown."""
    found = intervals(data, "selection_metrics", "model", panel=panel_name, group="all", metric="success")
    runs = [f"S_{m}" for m in ordered([k.removeprefix("S_") for k in found if k.startswith("S_")], style.SELECTIONS)]
    base = found.get("base")
    if base is not None:
        axes.axvspan(base.low, base.high, color=style.GRID, linewidth=0, zorder=0)
        axes.axvline(base.point, color=style.MUTED, linewidth=0.8, zorder=1)
    for at, run in enumerate(runs):
        marks.whisker(axes, at, found[run], colour=style.model_colour(run), horizontal=True, size=5.5)
        axes.annotate(
            f"{found[run].point:.2f}",
            (found[run].point, at),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=6,
        )
    axes.set_yticks(range(len(runs)), [style.name(run) for run in runs])
    axes.set_ylim(len(runs) - 0.5, -0.7)
    axes.tick_params(axis="y", length=0)
    style.at_least(axes, 0.1, "x")
    axes.spines["left"].set_visible(False)
    return [found[run] for run in runs]
