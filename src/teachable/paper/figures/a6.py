"""Figure A6: the loss of every training, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from teachable.paper import style
from teachable.paper.inputs import Data, Undefined, frame, ordered, where
from teachable.terms import QUADRANTS, RUNS, selection_of

ABOUT = {
    "hypothesis": "appendix",
    "title": "Loss during training",
    "caption": (
        "Training loss of every run: thin lines are its trainings by seed, thick ones their mean, both as running "
        "means over a tenth of the steps. Above the cells of the matrix by quadrant, below the other runs of phase 2 "
        "and the selections. Completions, replay and, of a run on pairs, the loss itself differ by run, so levels do."
    ),
    "inputs": ("losses",),
}

LINES = ("-", "--", ":", "-.")  # of the budgets k, smallest first
OTHER_COLOURS = (style.INK, "#0072B2", "#9AA0A8", "#D55E00", "#009E73")
SHARE = 10  # a running mean is over 1 / SHARE of the steps
Look = dict[str, Any]  # how a line is drawn


def draw(data: Data) -> Figure:
    rows = frame(data, "losses", "run", "train_seed", "step", "loss").drop_nulls("loss")
    if rows.is_empty():
        raise Undefined(f"The input {where('losses')} has no loss of any training.")
    runs = ordered(rows["run"].unique(), (*RUNS, "recovery"))
    chosen = {run: pair for run in runs if (pair := selection_of(run))}
    cells = {quadrant: [run for run in runs if run.startswith(f"{quadrant}_")] for quadrant in QUADRANTS}
    others = [run for run in runs if run not in chosen and run[:2] not in cells]

    figure = style.figure(style.PAGE, 4.0)
    grid = figure.subplots(2, 4, sharey=True)  # below, a legend beside each panel
    above, (left, left_legend, right, right_legend) = grid
    for axes, (quadrant, found) in zip(above, cells.items(), strict=True):
        looks = {run: {"color": style.FORMAT_COLOUR.get(run[3:], style.INK)} for run in found}
        _curves(axes, rows, looks, f"{quadrant}: {style.QUADRANT_NAME[quadrant]}")
    formats = list(dict.fromkeys(run[3:] for found in cells.values() for run in found))
    if formats:
        handles = [Line2D([], [], color=style.FORMAT_COLOUR.get(kind, style.INK)) for kind in formats]
        figure.legend(handles, formats, loc="outside upper center", ncols=len(formats))
    looks = {run: {"color": OTHER_COLOURS[at % len(OTHER_COLOURS)]} for at, run in enumerate(others)}
    _curves(left, rows, looks, "other runs of phase 2")
    _name(left_legend, {style.name(run): look for run, look in looks.items()})
    budgets = sorted({k for _, k in chosen.values()})
    lines = {k: {"linestyle": LINES[at % len(LINES)]} for at, k in enumerate(budgets)}
    methods = {method: _of_method(method) for method in ordered({m for m, _ in chosen.values()}, style.SELECTIONS)}
    _curves(right, rows, {run: methods[method] | lines[k] for run, (method, k) in chosen.items()}, "selections")
    _name(
        right_legend,
        {style.name(method): look for method, look in methods.items()}
        | {f"k = {k}": {"color": style.MUTED, **look} for k, look in lines.items()},
    )
    for axes in (above[0], left):
        axes.set_ylabel("loss (nats a token)")
    trainings = rows.select("run", "train_seed").n_unique()
    style.footnote(
        figure, f"n = {trainings:,} trainings of {len(runs):,} runs; running means over a tenth of the steps"
    )
    return figure


def _of_method(method: str) -> Look:
    """The colour of a method of selection; diamonds where it is the diverse variant of another."""
    look: Look = {"color": style.METHOD_COLOUR.get(method, style.INK)}
    return look | ({"marker": "D", "markersize": 2.4} if method.endswith("_diverse") else {})


def _curves(axes: Axes, rows: pl.DataFrame, looks: Mapping[str, Look], title: str) -> None:
    """A thin line a training and a thick one a run, in the look of the run."""
    style.grid(axes)
    axes.set_title(title, fontsize=6.5)
    axes.set(yscale="log", xlabel="step")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.locator_params(axis="x", nbins=4)
    if not looks:
        axes.text(0.5, 0.5, "not trained", ha="center", transform=axes.transAxes, fontsize=6, color=style.MUTED)
        axes.set_xticks([])
    for run, look in looks.items():
        found = []
        for _, part in rows.filter(run=run).sort("train_seed", "step").group_by("train_seed", maintain_order=True):
            smooth = _running(part["loss"].to_numpy())
            found.append(smooth)
            thin = {key: value for key, value in look.items() if key != "marker"}
            axes.plot(range(1, len(smooth) + 1), smooth, **thin, linewidth=0.4, alpha=0.4)
        shortest = min(map(len, found))
        mean = np.mean([smooth[:shortest] for smooth in found], axis=0)
        axes.plot(range(1, shortest + 1), mean, **look, linewidth=1.1, zorder=3, markevery=0.12)


def _running(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred means [N] over about N / SHARE steps, of what there is near the ends; above 0, for a logarithmic axis."""
    half = len(losses) // (2 * SHARE)
    total = np.concatenate([[0.0], np.cumsum(losses)])
    low = np.maximum(0, np.arange(len(losses)) - half)
    high = np.minimum(len(losses), np.arange(len(losses)) + half + 1)
    return np.maximum((total[high] - total[low]) / (high - low), 1e-6)


def _name(axes: Axes, looks: Mapping[str, Look]) -> None:
    """A legend that fills ``axes``."""
    axes.set_axis_off()
    if looks:
        axes.legend(
            [Line2D([], [], **look) for look in looks.values()],
            list(looks),
            loc="center left",
            fontsize=6,
            handlelength=1.8,
            borderaxespad=0,
        )
