"""Figure H6.2: calibration of the predictor."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, interval_note, ordered, select

ABOUT = {
    "hypothesis": "H6",
    "title": "Calibration of the predictor",
    "caption": "Mean observed against mean predicted value in bins of the prediction.",
    "whiskers": True,
    "inputs": ("calibration",),
}

ORDER = ("ELP_net", "L_local", "L_upper", "U", "route")
NAMES = {
    "ELP_net": "ELP$_{net}$",
    "L_local": "$L_{local}$",
    "L_upper": "$L_{upper}$",
    "U": "U",
    "route": "route, P(right)",
}


def draw(data: Data) -> Figure:
    rows = (
        select(data, "calibration", method="predictor", target=list(ORDER))
        .drop_nulls(["predicted", "point"])
        .sort("bin")
    )
    targets = ordered(rows["target"].unique(), ORDER)
    figure = style.figure(style.PAGE if len(targets) > 2 else style.COLUMN, 2.3)
    shown: list[Interval] = []
    for axes, target in zip(figure.subplots(1, len(targets), squeeze=False)[0], targets, strict=True):
        part = rows.filter(target=target)
        values = [Interval.of(row) for row in part.iter_rows(named=True)]
        ends = [e for v in values for e in (v.low, v.high, v.point) if not math.isnan(e)] + part["predicted"].to_list()
        low, high = min(ends), max(ends)
        margin = 0.06 * ((high - low) or 1.0)
        axes.plot(
            [low - margin, high + margin],
            [low - margin, high + margin],
            color=style.MUTED,
            linewidth=0.7,
            zorder=1,
        )
        axes.plot(
            part["predicted"],
            part["point"],
            color=style.METHOD_COLOUR["predictor"],
            linewidth=0.8,
            alpha=0.5,
            zorder=2,
        )
        for predicted, value in zip(part["predicted"], values, strict=True):
            plots.whisker(axes, predicted, value, colour=style.METHOD_COLOUR["predictor"])
        axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), xlabel="predicted")
        axes.set_aspect("equal")
        axes.locator_params(nbins=3)
        axes.set_title(NAMES.get(target, target))
        shown += values
    figure.axes[0].set_ylabel("observed")
    style.footnote(figure, f"{interval_note(shown, 'snapshots')} a bin; line: perfect calibration")
    return figure
