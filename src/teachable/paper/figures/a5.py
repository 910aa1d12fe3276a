"""Figure A5: measures of mechanism, by run and by quadrant."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, interval_note, intervals, ordered, where
from teachable.terms import QUADRANTS, RUNS

ABOUT = {
    "hypothesis": "appendix",
    "title": "Measures of mechanism",
    "caption": (
        "Above: measures of mechanism for every run, with the base student (line and band) and chance "
        "(dashed). Below: by quadrant of the snapshot, base (cross) against the run trained on demonstrations of that "
        "quadrant. The probes are those fitted on the base student's hidden states; a run's own probe, which says what "
        "could be read, is in Table A5."
    ),
    "whiskers": True,
    "inputs": ("mechanistic",),
}

MEASURES = {
    "success_from_state": "success\nfrom state",
    "first_action_correct": "first action\ncorrect",
    "expert_prob_shift": "shift to\nexpert's action",
    "probe_state_from_base": "state, read by\nbase's probe",
    "probe_goal_from_base": "goal, read by\nbase's probe",
}
OF_BASE = {"probe_state_from_base": "probe_state_accuracy", "probe_goal_from_base": "probe_goal_accuracy"}
CHANCE = {"probe_state_from_base": "probe_state_chance", "probe_goal_from_base": "probe_goal_chance"}


def draw(data: Data) -> Figure:
    found = intervals(data, "mechanistic", ("model", "by", "group", "metric"), metric=[*MEASURES, *OF_BASE.values()])
    for of_run, of_base in OF_BASE.items():  # the base student's own probe reads the base student
        found |= {("base", *key[1:3], of_run): v for key, v in found.items() if (key[0], key[3]) == ("base", of_base)}
    levels = intervals(data, "mechanistic", ("model", "by", "metric"), by="all")
    chance = {m: levels["base", "all", c].point for m, c in CHANCE.items() if ("base", "all", c) in levels}
    whole = {(model, metric): v for (model, by, _, metric), v in found.items() if by == "all"}
    if not whole:
        raise Undefined(f"The input {where('mechanistic')} has no row with by = all.")
    runs = [m for m in ordered({model for model, _ in whole}, (*RUNS, "recovery", "base")) if m != "base"]
    measures, left_out = plots.varying(MEASURES, lambda metric: [whole.get((run, metric)) for run in [*runs, "base"]])
    if not measures:
        raise Undefined(f"{where('mechanistic')}: {left_out}.")
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
                    change=metric == "expert_prob_shift",
                )
        upper.set_ylim(len(runs) - 0.4, -0.6)
        upper.set_yticks(range(len(runs)), [style.name(run) for run in runs] if at == 0 else [""] * len(runs))
        upper.tick_params(axis="y", length=0)
        upper.spines["left"].set_visible(False)
        upper.set_title(MEASURES[metric], fontsize=7)
        upper.locator_params(axis="x", nbins=3)
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
                        change=metric == "expert_prob_shift",
                        size=4,
                        marker=style.BASE_MARKER if model == "base" else style.QUADRANT_MARKER[quadrant],
                    )
        style.grid(lower)
        lower.set_xticks(range(4), QUADRANTS)
        lower.set_xlim(-0.5, 3.5)
        lower.locator_params(axis="y", nbins=4)
        if metric == "expert_prob_shift":
            style.zero(lower)
    grid[1][0].set_ylabel("by quadrant")
    style.footnote(
        figure,
        "; ".join(
            filter(
                None,
                [
                    interval_note(whole.values(), "snapshots"),
                    "above: line and band are the base student, dashed chance",
                    "below: cross base, other marks the run trained on demonstrations of that quadrant",
                    f"of the shift, {plots.HOLLOW}",
                    left_out,
                ],
            )
        ),
    )
    return figure
