"""Figure H7.1: what training on a fixed number of snapshots gains, by how they were chosen and by how many."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, interval_note, intervals, ordered, select, where
from teachable.terms import BASE, REPLAY_ONLY, selection_name, selection_of

ABOUT = {
    "hypothesis": "H7",
    "title": "Methods of selection at a fixed budget",
    "caption": (
        "Change of success by training on k snapshots chosen by each method, all as plain demonstrations, "
        "against replay alone (against the base student where nothing is replayed); dashed, with a diamond: the "
        "diverse variants."
    ),
    "whiskers": True,
    "inputs": ("selection_contrasts",),
    "minimum": True,
}

PANELS = {"failure": "from failure states", "test": "test tasks", "retention": "retention"}


def draw(data: Data) -> Figure:
    figure = style.figure(style.PAGE, 2.6)
    shown: list[Interval] = []
    grid = figure.subplots(1, 3, sharex=True)
    for axes, (panel_name, title) in zip(grid, PANELS.items(), strict=True):
        shown += plots.or_why(axes, partial(panel, data=data, panel_name=panel_name)) or []
        axes.set_title(title)
    if not shown:
        raise Undefined(f"{where('selection_contrasts')} holds no gain of a selection run on any panel.")
    grid[0].set_ylabel(f"change of success against {style.name(_reference(data))}")
    handles = next(found for axes in grid if (found := axes.get_legend_handles_labels())[0])
    figure.legend(*handles, loc="outside right center", fontsize=6)
    style.footnote(
        figure, f"paired on the same games, starts and seeds; {interval_note(shown, 'episodes')}; {plots.HOLLOW}"
    )
    return figure


def _reference(data: Data) -> str:
    """What gains are against: replay alone, or the base student in a study without replay."""
    references = set(select(data, "selection_contrasts", metric="success")["reference"].to_list())
    return REPLAY_ONLY if REPLAY_ONLY in references else BASE


def panel(axes: Axes, data: Data, panel_name: str = "failure") -> list[Interval]:
    """Draw one panel into ``axes``, a curve of gains over k for each method; returns the intervals shown."""
    found = intervals(
        data,
        "selection_contrasts",
        "model",
        reference=_reference(data),
        panel=panel_name,
        group="all",
        metric="success",
    )
    runs = [pair for pair in map(selection_of, found) if pair]
    if not runs:
        raise Undefined(f"The input {where('selection_contrasts')} has no selection run on the {panel_name} panel.")
    budgets = sorted({k for _, k in runs})
    methods = ordered({method for method, _ in runs}, style.SELECTIONS)
    style.zero(axes, "y")
    shown = []
    for at, method in enumerate(methods):
        colour = style.METHOD_COLOUR.get(method, style.INK)
        diverse = method.endswith("_diverse")
        aside = 0.7 * ((at + 0.5) / len(methods) - 0.5)
        curve = [(i + aside, found[selection_name(method, k)]) for i, k in enumerate(budgets) if (method, k) in runs]
        xs, ys = [x for x, _ in curve], [value.point for _, value in curve]
        axes.plot(xs, ys, color=colour, linewidth=0.7, linestyle="--" if diverse else "-", alpha=0.6, zorder=2)
        marker = "D" if diverse else "o"
        axes.plot([], [], marker, color=colour, markersize=4, markeredgecolor="white", label=style.name(method))
        for x, value in curve:
            plots.whisker(axes, x, value, colour=colour, marker=marker, size=4, change=True)
            shown.append(value)
    axes.set_xticks(range(len(budgets)), [str(k) for k in budgets])
    axes.set_xlim(-0.5, len(budgets) - 0.5)
    axes.set_xlabel("k (snapshots chosen)")
    style.at_least(axes, 0.1)
    return shown
