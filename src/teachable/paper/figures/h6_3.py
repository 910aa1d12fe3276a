"""Figure H6.3: ablation by tier, and what the predictor uses."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, Undefined, interval_note, ordered, select, where

ABOUT = {
    "hypothesis": "H6",
    "title": "Feature tiers and importance of feature groups",
    "caption": (
        "Left: held-out rank correlation with each target by feature tier. Right: what NDCG@k of ELP_net "
        "loses when a group of features is shuffled."
    ),
    "whiskers": True,
    "inputs": ("predictor_metrics", "importance"),
}

METHODS = ("predictor", "tier1", "tier2")
TARGETS = ("ELP_net", "L_local", "L_upper", "U", "d_expert", "d_force")
MARKER = {"predictor": "o", "tier1": "s", "tier2": "^"}
TOP = 10


def draw(data: Data) -> Figure:
    rows = (
        select(data, "predictor_metrics", metric="spearman", method=list(METHODS))
        .drop_nulls("point")
        .sort("train_size")
    )
    quality = {(r["target"], r["method"]): Interval.of(r) for r in rows.iter_rows(named=True)}  # the largest size stays
    drops = select(data, "importance", target="ELP_net").drop_nulls("point")
    metric = next((m for m in ("ndcg", "r2") if m in drops["metric"].to_list()), None)
    if metric is None or not quality:
        raise Undefined(
            f"The inputs {where('importance')} or {where('predictor_metrics')} have no estimate for ELP_net."
        )
    ranked = drops.filter(metric=metric).sort(["point", "group"], descending=[True, False])
    tiers = dict(ranked.select("group", "tier").iter_rows())
    forest = [(row["group"], Interval.of(row)) for row in ranked.head(TOP).iter_rows(named=True)]
    figure = style.figure(style.PAGE, 2.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    style.grid(left)
    style.zero(left)
    targets = ordered({target for target, _ in quality}, TARGETS)
    plots.grouped(
        left,
        targets,
        METHODS,
        lambda target, method: quality.get((target, method)),
        colour=style.METHOD_COLOUR,
        marker=MARKER,
        width=0.4,
        change=True,
    )
    left.set_xticks(range(len(targets)), [target.replace("_", "\n") for target in targets])
    left.set_ylabel("Spearman correlation, held out")
    entries = [
        ("both tiers", "predictor"),
        ("tier 1: logits and text counts", "tier1"),
        ("tier 2: embeddings", "tier2"),
    ]
    plots.keys(
        left,
        [(text, style.METHOD_COLOUR[m], MARKER[m]) for text, m in entries],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.13),
        ncols=3,
        columnspacing=1.0,
        handletextpad=0.1,
    )
    plots.forest(
        right,
        forest,
        colour=lambda group: style.METHOD_COLOUR.get(tiers[group], style.INK),
        digits=3,
        marker=lambda group: MARKER.get(tiers[group], "o"),
    )
    style.zero(right, "x")
    right.set_xlabel({"ndcg": "loss of NDCG@k", "r2": "loss of R$^2$"}[metric] + " of ELP$_{net}$ when shuffled")
    style.footnote(
        figure,
        f"{interval_note([*quality.values(), *(v for _, v in forest)], 'held-out snapshots')}; {plots.HOLLOW}",
    )
    return figure
