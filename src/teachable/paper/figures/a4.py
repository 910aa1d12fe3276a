"""Figure A4: how the best format of the same snapshots moves between checkpoints."""

from __future__ import annotations

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from teachable.paper import style
from teachable.paper.inputs import Data, Undefined, frame, where
from teachable.terms import FORMATS

ABOUT = {
    "hypothesis": "appendix",
    "title": "Routes at checkpoints of a training",
    "caption": (
        "Best format of the same snapshots at successive checkpoints; bands are counts of snapshots. Grey: no"
        " format beats the placebo."
    ),
    "inputs": ("drift",),
}

STAGES = ("first", "middle", "last")
NONE = "none"
CLASSES = (*FORMATS, NONE)
COLOUR = {**style.FORMAT_COLOUR, NONE: style.FAINT}
BAR = 0.09  # half width of a column


def draw(data: Data) -> Figure:
    rows = frame(data, "drift", "model", "checkpoint", "snapshot_id", "task_id", "ELP_net", "route").drop_nulls(
        ["ELP_net", "route"]
    )
    rows = rows.with_columns(place=pl.when(pl.col("ELP_net") > 0).then(pl.col("route")).otherwise(pl.lit(NONE)))
    wide = rows.pivot(
        "checkpoint", index=["model", "snapshot_id", "task_id"], values="place", aggregate_function="first"
    )
    stages = [stage for stage in STAGES if stage in wide.columns]
    wide = wide.drop_nulls(stages)
    if len(stages) < 2 or wide.is_empty():
        raise Undefined(f"The input {where('drift')} has no snapshot measured at two checkpoints of a run.")
    runs = sorted(wide["model"].unique())
    figure = style.figure(style.PAGE if len(runs) > 1 else style.COLUMN, 2.7)
    for axes, run in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs, strict=True):
        part = wide.filter(pl.col("model") == run)
        _flow(axes, part, stages)
        axes.set_title(
            f"{style.name(run)}   n = {len(part)} snapshots in {part['task_id'].n_unique()} games",
            fontsize=6.8,
        )
    style.footnote(figure, "height: number of snapshots; grey: no format beats the placebo (ELP_net not above 0)")
    return figure


def _flow(axes: Axes, rows: pl.DataFrame, stages: list[str]) -> None:
    """Columns stacked in the order of CLASSES with bands for the snapshots that go from one class to another."""
    total = len(rows)
    gap = 0.03 * total
    bottoms: list[dict[str, float]] = []
    for k, stage in enumerate(stages):
        base, level = {}, 0.0
        for kind in reversed(CLASSES):
            count = int((rows[stage] == kind).sum())
            base[kind] = level
            if count:
                axes.add_patch(
                    Rectangle((k - BAR, level), 2 * BAR, count, facecolor=COLOUR[kind], linewidth=0, zorder=3)
                )
                axes.text(k, level + count / 2, f"{count}", ha="center", va="center", fontsize=5.8, zorder=4)
                edge = k == 0 or k == len(stages) - 1
                if edge:
                    axes.text(
                        k + (-0.14 if k == 0 else 0.14),
                        level + count / 2,
                        kind,
                        va="center",
                        fontsize=6.2,
                        ha="right" if k == 0 else "left",
                    )
                level += count + gap
        bottoms.append(base)
    for k in range(len(stages) - 1):
        left, right = dict(bottoms[k]), dict(bottoms[k + 1])
        for a in reversed(CLASSES):
            for b in reversed(CLASSES):
                count = int(((rows[stages[k]] == a) & (rows[stages[k + 1]] == b)).sum())
                if count:
                    axes.add_patch(_band(k + BAR, left[a], k + 1 - BAR, right[b], count, COLOUR[a]))
                    left[a] += count
                    right[b] += count
    axes.set(xlim=(-0.55, len(stages) - 0.45), ylim=(-gap, total + 4 * gap))
    axes.set_xticks(range(len(stages)), stages)
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _band(x0: float, y0: float, x1: float, y1: float, height: float, colour: str) -> PathPatch:
    middle = (x0 + x1) / 2
    points = np.array(
        [
            (x0, y0),
            (middle, y0),
            (middle, y1),
            (x1, y1),
            (x1, y1 + height),
            (middle, y1 + height),
            (middle, y0 + height),
            (x0, y0 + height),
            (x0, y0),
        ]
    )
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return PathPatch(Path(points, codes), facecolor=colour, alpha=0.4, linewidth=0, zorder=2)
