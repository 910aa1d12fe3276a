"""Figure H5.4: how runs get stuck."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Undefined, interval_note, intervals, ordered, where
from teachable.terms import RUNS

ABOUT = {
    "hypothesis": "H5",
    "title": "Stuckness",
    "caption": "How runs get stuck on test tasks, against the base student (line and band).",
    "whiskers": True,
    "inputs": ("metrics",),
}

MEASURES = {
    "repeat_rate": "repeated\nactions",
    "loop_rate": "returns to\na state",
    "wasted_rate": "steps without\neffect",
    "escape_latency": "steps to\nescape",
    "efficiency": "efficiency",
}


def draw(data: Data) -> Figure:
    found = intervals(data, "metrics", ("model", "metric"), panel="test", group="all", metric=list(MEASURES))
    models = ordered({model for model, _ in found}, (*RUNS, "recovery", "base"))
    runs = [model for model in models if model != "base"]
    measures, left_out = plots.varying(MEASURES, lambda metric: [found.get((model, metric)) for model in models])
    if not measures:
        raise Undefined(f"{where('metrics')}: {left_out}.")
    figure = style.figure(style.PAGE, 0.85 + 0.15 * max(4, len(runs)))
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, measures, strict=True):
        base = found.get(("base", metric))
        if base is not None:
            axes.axvspan(base.low, base.high, color=style.GRID, linewidth=0, zorder=0)
            axes.axvline(base.point, color=style.MUTED, linewidth=0.8, zorder=1)
        for at, run in enumerate(runs):
            if (run, metric) in found:
                plots.whisker(
                    axes,
                    at,
                    found[run, metric],
                    colour=style.model_colour(run),
                    marker=style.model_marker(run),
                    horizontal=True,
                )
        axes.set_title(MEASURES[metric], fontsize=7)
        axes.set_xlabel("more is better" if metric == "efficiency" else "less is better", color=style.MUTED, fontsize=6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        style.at_least(axes, 0.05, "x")
        axes.locator_params(axis="x", nbins=4)
    panels[0].set_yticks(range(len(runs)), [style.name(run) for run in runs])
    panels[0].set_ylim(len(runs) - 0.4, -0.6)
    style.footnote(
        figure,
        f"test tasks, {interval_note(found.values(), 'episodes')}; line and band: base student and its 95 % interval"
        + (f"; {left_out}" if left_out else ""),
    )
    return figure
