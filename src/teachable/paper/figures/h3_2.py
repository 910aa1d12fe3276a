"""Figure H3.2: contrast and hint against demonstrations, paired."""

from __future__ import annotations

from matplotlib.figure import Figure

from teachable.paper import plots, style
from teachable.paper.inputs import Data, Interval, PaperError, Undefined, frame, interval_note, panel_is_empty, where
from teachable.terms import FORMATS, QUADRANTS

ABOUT = {
    "hypothesis": "H3",
    "title": "Contrast and hint against demonstration",
    "caption": (
        "Paired difference in success between runs of the same quadrant trained with another format and with "
        "demonstrations, on the quadrant's held-out failures. Hollow where 0 is inside."
    ),
    "whiskers": True,
    "inputs": ("contrasts",),
}

OTHERS = tuple(kind for kind in FORMATS if kind != "demo")


def draw(data: Data) -> Figure:
    found: dict[tuple[str, str], Interval] = {}
    for row in frame(data, "contrasts", "contrast", "panel", "group", "metric", "point").iter_rows(named=True):
        if row["panel"] != "failure" or row["metric"] != "success" or row["point"] is None:
            continue
        for kind in OTHERS:
            if row["contrast"] == f"{row['group']}_{kind}-vs-{row['group']}_demo":
                found[row["group"], kind] = Interval.of(row)
        if row["contrast"] == "best_format-vs-demo":
            found[row["group"], "best"] = Interval.of(row)
    if not found:
        error = Undefined if panel_is_empty(data, "contrasts", "failure") else PaperError
        raise error(
            f"The input {where('contrasts')} has neither <Q>_<format>-vs-<Q>_demo nor best_format-vs-demo on "
            "the failure panel."
        )
    colours = {**style.FORMAT_COLOUR, "best": style.INK}
    markers = {**style.FORMAT_MARKER, "best": "D"}
    figure, axes = style.single(style.COLUMN, 2.5)
    style.zero(axes)
    groups = [*QUADRANTS, "all"]
    series = [*OTHERS, "best"]
    width = 0.66 / len(series)
    for at, group in enumerate(groups):
        for place, kind in enumerate(series):
            if (group, kind) in found:
                value = found[group, kind]
                plots.whisker(
                    axes,
                    at + (place - (len(series) - 1) / 2) * width,
                    value,
                    colour=colours[kind],
                    marker=markers[kind],
                    change=True,
                )
    axes.set_xticks(range(len(groups)), [*QUADRANTS, "mean of\nquadrants"])
    axes.axvline(3.5, color=style.FAINT, linewidth=0.6)
    axes.tick_params(axis="x", length=0)
    style.at_least(axes, 0.1)
    axes.set_ylabel("change in success against\ndemonstrations")
    entries = [
        *((kind, colours[kind], markers[kind]) for kind in OTHERS),
        ("best format, cross-fitted", style.INK, "D"),
    ]
    plots.keys(
        axes,
        entries,
        loc="upper center",
        bbox_to_anchor=(0.45, 1.13),
        ncols=3,
        columnspacing=1.0,
        handletextpad=0.2,
    )
    style.footnote(
        figure,
        f"paired on the same snapshots; {interval_note(found.values(), 'episodes')}; {plots.HOLLOW}",
    )
    return figure
