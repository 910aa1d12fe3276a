"""Figure A5: measures of mechanism, by run and by quadrant."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, interval_note, intervals, ordered, where
from teachable.terms import QUADRANTS, RUNS

ABOUT = {
    "hypothesis": "appendix",
    "title": "What changes inside",
    "caption": (
        "Above: measures of mechanism for every run, with the base student (line and band) and chance "
        "(dashed). Below: by quadrant of the snapshot, base against the run trained on demonstrations of that"
        " quadrant."
    ),
    "whiskers": True,
    "inputs": ("mechanistic",),
}

MEASURES = {
    "success_from_state": "success\nfrom state",
    "first_action_correct": "first action\ncorrect",
    "expert_prob_shift": "shift to\nexpert's action",
    "probe_state_accuracy": "state probe\naccuracy",
    "probe_goal_accuracy": "goal probe\naccuracy",
}


def draw(data: Data) -> Figure:
    found = intervals(data, "mechanistic", ("model", "by", "group", "metric"), metric=list(MEASURES))
    levels = intervals(data, "mechanistic", ("model", "by", "metric"), by="all")
    chance = {
        m: levels["base", "all", c].point
        for m in MEASURES
        if ("base", "all", c := m.replace("accuracy", "chance")) in levels and c != m
    }
    whole = {(model, metric): v for (model, by, _, metric), v in found.items() if by == "all"}
    if not whole:
        raise Undefined(f"The input {where('mechanistic')} has no row with by = all.")
    measures = [metric for metric in MEASURES if any(m == metric for _, m in whole)]
    runs = [m for m in ordered({model for model, _ in whole}, (*RUNS, "recovery", "base")) if m != "base"]
    figure = style.figure(style.PAGE, 2.6 + 0.13 * max(4, len(runs)))
    grid = figure.subplots(2, len(measures), height_ratios=(0.13 * max(4, len(runs)) + 0.4, 1.5), squeeze=False)
    for at, metric in enumerate(measures):
        upper, lower = grid[0][at], grid[1][at]
        base = whole.get(("base", metric))
        if base is not None:
            upper.axvspan(base.low, base.high, color=style.GRID, linewidth=0, zorder=0)
            upper.axvline(base.point, color=style.MUTED, linewidth=0.8, zorder=1)
        elif metric == "expert_prob_shift":
            style.zero(upper, "x")
        if metric in chance:
            upper.axvline(chance[metric], color=style.ACCENT, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
        for row, run in enumerate(runs):
            if (run, metric) in whole:
                plots.whisker(
                    upper,
                    row,
                    whole[run, metric],
                    colour=style.model_colour(run),
                    marker=style.model_marker(run),
                    horizontal=True,
                    size=4,
                )
        upper.set_ylim(len(runs) - 0.4, -0.6)
        upper.set_yticks(range(len(runs)), [style.name(run) for run in runs] if at == 0 else [""] * len(runs))
        upper.tick_params(axis="y", length=0)
        upper.spines["left"].set_visible(False)
        upper.set_title(MEASURES[metric], fontsize=7)
        upper.locator_params(axis="x", nbins=4)
        for k, quadrant in enumerate(QUADRANTS):
            colour = style.QUADRANT_COLOUR[quadrant]
            for shift, model in ((-0.14, "base"), (0.14, f"{quadrant}_demo")):
                value = found.get((model, "quadrant", quadrant, metric))
                if value is not None:
                    plots.whisker(
                        lower,
                        k + shift,
                        value,
                        colour=colour,
                        hollow=model == "base",
                        size=4,
                        marker=style.QUADRANT_MARKER[quadrant],
                    )
        style.grid(lower)
        lower.set_xticks(range(4), QUADRANTS)
        lower.set_xlim(-0.5, 3.5)
        lower.locator_params(axis="y", nbins=5)
        if metric == "expert_prob_shift":
            style.zero(lower)
    grid[1][0].set_ylabel("by quadrant")
    style.footnote(
        figure,
        f"{interval_note(whole.values(), 'snapshots')}; above: line and band are the base student, dashed chance; "
        "below: hollow base, filled the run trained on demonstrations of that quadrant",
    )
    return figure
