"""Figure H1.2: teachability by quadrant."""

from __future__ import annotations

import seaborn as sns
from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, count_note, intervals, labelled, number
from teachable.terms import QUADRANTS

ABOUT = {
    "hypothesis": "H1",
    "title": "Teachability by quadrant",
    "caption": (
        "ELP_net of every snapshot, its distribution and its mean by quadrant. The circle is the protocol's "
        "estimate, the diamond corrects for taking a maximum over noisy formats."
    ),
    "whiskers": True,
    "inputs": ("labeled", "label_metrics"),
}


def draw(data: Data) -> Figure:
    rows = labelled(data, "ELP_net")
    means = intervals(
        data,
        "label_metrics",
        ("metric", "group"),
        metric=["ELP_net", "ELP_net_debiased"],
        group=list(QUADRANTS),
    )
    figure, axes = style.single(style.COLUMN, 2.7)
    style.zero(axes)
    sns.violinplot(
        x=rows["quadrant"].to_list(),
        y=rows["ELP_net"].to_numpy(),
        hue=rows["quadrant"].to_list(),
        order=QUADRANTS,
        hue_order=QUADRANTS,
        palette=style.QUADRANT_COLOUR,
        inner="point",
        inner_kws={"s": 3, "alpha": 0.5, "linewidth": 0},
        density_norm="width",
        cut=0,
        width=0.6,
        alpha=0.45,
        linewidth=0.5,
        legend=False,
        ax=axes,
    )
    for at, quadrant in enumerate(QUADRANTS):
        for offset, metric, marker in ((0.38, "ELP_net", "o"), (0.48, "ELP_net_debiased", "D")):
            if (metric, quadrant) in means:
                value = means[metric, quadrant]
                plots.whisker(axes, at + offset, value, colour=style.INK, marker=marker, size=4, change=True)
        if ("ELP_net", quadrant) in means:
            value = means["ELP_net", quadrant]
            axes.annotate(
                number(value.point),
                (at + 0.4, max(value.point, value.high)),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=6.5,
                fontweight="bold",
                path_effects=style.HALO,
                zorder=5,
            )
    axes.set_xticks(
        range(4), [f"{q}\n{style.QUADRANT_NAME[q]}\nn = {(rows['quadrant'] == q).sum():,}" for q in QUADRANTS]
    )
    axes.tick_params(axis="x", labelsize=6)
    for label, quadrant in zip(axes.get_xticklabels(), QUADRANTS, strict=True):
        label.set_color(style.QUADRANT_COLOUR[quadrant])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("ELP$_{net}$")
    style.at_least(axes, 0.1)
    style.footnote(
        figure,
        f"{count_note(rows)}; circle: mean; diamond: mean, corrected for the maximum over formats; {plots.HOLLOW}",
    )
    return figure
