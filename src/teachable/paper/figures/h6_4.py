"""Figure H6.4: how many labels the predictor needs."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, interval_note, select, where

ABOUT = {
    "hypothesis": "H6",
    "title": "Ranking quality by number of labels",
    "caption": "Ranking quality of ELP_net against the number of labelled snapshots for training.",
    "whiskers": True,
    "inputs": ("predictor_metrics",),
}


def draw(data: Data) -> Figure:
    rows = (
        select(data, "predictor_metrics", target="ELP_net", metric="ndcg", method="predictor")
        .drop_nulls(["k", "train_size", "point"])
        .unique(["k", "train_size"], keep="first", maintain_order=True)
        .sort("k", "train_size")
    )
    if rows.is_empty():
        raise Undefined(f"The input {where('predictor_metrics')} has no ndcg of the predictor with k and train_size.")
    ks = sorted(rows["k"].unique())
    figure, axes = style.single(style.COLUMN, 2.5)
    style.grid(axes)
    shown: list[Interval] = []
    ends: list[tuple[str, float, float, Any]] = []  # what the end of a line is called, where it lies, its colour
    for at, k in enumerate(ks):
        part = rows.filter(k=k)
        values = [Interval.of(row) for row in part.iter_rows(named=True)]
        colour = style.SEQUENTIAL(0.35 + 0.6 * (at / max(1, len(ks) - 1)))
        sizes = part["train_size"].to_list()
        axes.fill_between(
            sizes, [v.low for v in values], [v.high for v in values], color=colour, alpha=0.12, linewidth=0
        )
        axes.plot(sizes, [v.point for v in values], color=colour, marker="o", markersize=3.2)
        ends.append((f"k = {k}", sizes[-1], values[-1].point, colour))
        shown += values
    for method, text in (("entropy", "entropy"), ("random", "random")):
        known = (
            select(data, "predictor_metrics", target="ELP_net", metric="ndcg").filter(method=method).drop_nulls("point")
        )
        known = known.filter(k=ks[-1])
        if len(known):
            level = float(known["point"][0])
            axes.axhline(level, color=style.METHOD_COLOUR[method], linewidth=0.9, linestyle=(0, (4, 2)))
            ends.append((f"{text}, k = {ks[-1]}", math.inf, level, style.METHOD_COLOUR[method]))
    axes.set(xlabel="labelled snapshots for training", ylabel="NDCG@k, held out")
    if all(not math.isnan(v.low) for v in shown):
        axes.margins(y=0.06)
    plots.name_ends(axes, ends, height=2.5)
    style.footnote(figure, f"{interval_note(shown, 'held-out snapshots')}; bands: 95 % intervals, clustered by game")
    return figure
