"""Figure H6.1: ranking quality of the predictor and its rivals at every budget k."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, interval_note, ordered, select, where

ABOUT = {
    "hypothesis": "H6",
    "title": "Ranking snapshots by teachability",
    "caption": (
        "NDCG@k and Precision@k of held-out rankings by ELP_net, split by game. The band is the stored 95 % "
        "interval, clustered by game, of the predictor and of entropy."
    ),
    "inputs": ("predictor_metrics",),
    "minimum": True,
}

BANDS = ("predictor", "entropy")


def draw(data: Data) -> Figure:
    figure = style.figure(style.PAGE, 2.6)
    left, right = figure.subplots(1, 2)
    shown = panel(left, data, "ndcg", "NDCG@k")
    panel(right, data, "precision", "Precision@k")
    style.footnote(figure, f"{interval_note(shown, 'held-out snapshots')}; labels at the largest k, in order")
    return figure


def curves(data: Data, metric: str) -> dict[str, dict[int, Interval]]:
    """Method -> k -> interval, at the full training size."""
    rows = select(data, "predictor_metrics", target="ELP_net", metric=metric, method=list(style.METHODS)).drop_nulls(
        ["k", "point"]
    )
    if rows.is_empty():
        raise Undefined(f"The input {where('predictor_metrics')} has no {metric} of ELP_net with a k.")
    found: dict[str, dict[int, Interval]] = {}
    for row in rows.sort("train_size", "k", nulls_last=False).iter_rows(
        named=True
    ):  # the largest size comes last, and stays
        found.setdefault(row["method"], {})[row["k"]] = Interval.of(row)
    return found


def panel(axes: Axes, data: Data, metric: str, title: str) -> list[Interval]:
    """Draw one metric into ``axes``; returns the intervals shown."""
    found = curves(data, metric)
    methods = ordered(found, style.METHODS)
    ks = sorted({k for curve in found.values() for k in curve})
    places = {k: i for i, k in enumerate(ks)}
    for method in reversed(methods):
        curve = found[method]
        xs = [places[k] for k in sorted(curve)]
        values = [curve[k] for k in sorted(curve)]
        colour = style.METHOD_COLOUR.get(method, style.MUTED)
        thick = method in BANDS
        if thick:
            axes.fill_between(
                xs, [v.low for v in values], [v.high for v in values], color=colour, alpha=0.14, linewidth=0
            )
        axes.plot(
            xs,
            [v.point for v in values],
            color=colour,
            linewidth=1.8 if thick else 0.9,
            marker="o",
            markersize=3.2 if thick else 2,
            linestyle="--" if method in ("oracle_features", "random") else "-",
        )
    ends = [
        (style.name(m), places[k], found[m][k].point, style.METHOD_COLOUR.get(m, style.MUTED))
        for m in methods
        for k in [max(found[m])]
    ]
    plots.name_ends(axes, ends, height=2.6, strong=[style.name(m) for m in BANDS])
    style.grid(axes)
    axes.set_xticks(range(len(ks)), [f"{k:,}" for k in ks])
    axes.set(xlabel="budget k (snapshots chosen)", ylabel=title)
    return [value for curve in found.values() for value in curve.values()]
