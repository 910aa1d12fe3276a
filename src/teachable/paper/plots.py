"""What the figures share: points with whiskers, frontiers, labels that keep apart.

seaborn and adjustText take longer to import than most figures to draw, so they are imported where they draw.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from teachable.paper import points, style
from teachable.paper.inputs import Interval, Undefined, number

HOLLOW = "hollow: 0 inside the interval"
"""The one thing that a hollow mark means, in every figure."""


def whisker(
    axes: Axes,
    place: float,
    value: Interval,
    *,
    colour: str,
    marker: str = "o",
    horizontal: bool = False,
    size: float = 4.5,
    change: bool = False,
) -> None:
    """A point with its stored interval at ``place`` on the category axis; no whisker where there is no interval.

    ``change``: 0 would say that there is nothing. The mark of such a quantity is hollow unless its interval excludes 0,
    and no mark is hollow for any other reason; :data:`HOLLOW` says so below the figure.
    """
    hollow = change and not value.excludes_zero
    ends = (value.low, value.high)
    if not any(math.isnan(end) for end in ends):
        spots = (place, place)
        xs, ys = (ends, spots) if horizontal else (spots, ends)
        axes.plot(xs, ys, color=colour, linewidth=1.1, solid_capstyle="butt", zorder=3)
    x, y = (value.point, place) if horizontal else (place, value.point)
    axes.plot(
        [x],
        [y],
        marker,
        color=colour,
        markersize=size,
        markerfacecolor="white" if hollow else colour,
        markeredgecolor=colour if hollow else "white",
        markeredgewidth=1.0 if hollow else 0.5,
        zorder=4,
    )


def grouped(
    axes: Axes,
    groups: Sequence[str],
    series: Sequence[str],
    value: Callable[[str, str], Interval | None],
    *,
    colour: Mapping[str, str],
    marker: Mapping[str, str] | None = None,
    width: float = 0.5,
    change: bool = False,
) -> None:
    """Vertical whiskers side by side: one place a group, one offset a series; a missing cell stays empty.

    ``change``: as of :func:`whisker`.
    """
    offsets = np.linspace(-width / 2, width / 2, len(series)) if len(series) > 1 else [0.0]
    for at, group in enumerate(groups):
        for offset, item in zip(offsets, series, strict=True):
            found = value(group, item)
            if found is not None:
                shape = (marker or {}).get(item, "o")
                whisker(axes, at + float(offset), found, colour=colour[item], marker=shape, change=change)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set_xlim(-0.6, len(groups) - 0.4)


def forest(
    axes: Axes,
    rows: Sequence[tuple[str, Interval]],
    *,
    colour: Callable[[str], str],
    marker: Callable[[str], str] = lambda _: "o",
    label: Callable[[str], str] = style.name,
    digits: int = 2,
    values: bool = True,
) -> None:
    """Horizontal whiskers, first row on top, the numbers at the right end of the row; hollow where 0 is inside."""
    for at, (item, value) in enumerate(rows):
        whisker(
            axes,
            at,
            value,
            colour=colour(item),
            marker=marker(item),
            horizontal=True,
            change=True,
        )
    axes.set_yticks(range(len(rows)), [label(item) for item, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    style.grid(axes, "x")
    axes.spines["bottom"].set_visible(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if values:
        for at, (_, value) in enumerate(rows):
            axes.annotate(
                number(value.point, digits, signed=True),
                (1, at),
                xycoords=axes.get_yaxis_transform(),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=6,
                color=style.INK,
                annotation_clip=False,
            )


def varying(measures: Mapping[str, str], values: Callable[[str], Sequence[Interval | None]]) -> tuple[list[str], str]:
    """The ``measures`` (with their titles) whose ``values`` are not all one number, and a sentence on the others.

    A measure that is the same for every model, by its nature or in this run, tells no model from another.
    """
    kept, left_out = [], []
    for measure, title in measures.items():
        found = [value.point for value in values(measure) if value is not None]
        if len(found) > 1 and max(found) - min(found) > 1e-9:
            kept.append(measure)
        elif found:
            left_out.append(f"{' '.join(title.split())} ({number(found[0])} for every model)")
    return kept, f"left out: {', '.join(left_out)}" if left_out else ""


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other beats on both axes (more is better), by increasing x."""
    kept = [
        i for i, (x, y) in enumerate(points) if not any((a >= x and b >= y and (a > x or b > y)) for a, b in points)
    ]
    return sorted(kept, key=lambda i: points[i])


def staircase(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """The frontier through ``points`` (from :func:`pareto`, by increasing x): each step is what is attainable."""
    if not points:
        return
    xs, ys = zip(*points, strict=True)
    axes.step(xs, ys, where="post" if len(xs) == 1 else "pre", color=style.MUTED, linewidth=0.8, zorder=2)


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    *,
    obstacles: Sequence[tuple[float, float]] = (),
    colours: Sequence[str] | None = None,
    size: float = 6.0,
) -> None:
    """Name points directly; adjustText moves the names apart, off ``points`` and off ``obstacles``.

    Call it last: names are placed in the layout as it then is. The result is the same every time, for adjustText
    draws from a generator of its own and stops after a number of steps, not of seconds.
    """
    from adjustText import adjust_text

    figure = axes.get_figure(root=True)
    if figure is None:
        return
    style.own_math(figure)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # names move no limit
    figure.draw_without_rendering()
    named = [
        axes.text(*point, text, fontsize=size, zorder=6, color=colour, path_effects=style.HALO)
        for point, text, colour in zip(points, texts, colours or [style.INK] * len(points), strict=True)
    ]
    every = np.array([*points, *obstacles])
    markers = axes.scatter(every[:, 0], every[:, 1], s=64, alpha=0)
    adjust_text(
        named,
        objects=markers,
        target_x=[x for x, _ in points],
        target_y=[y for _, y in points],
        ax=axes,
        iter_lim=300,
        expand=(1.05, 1.2),
        force_static=(0.8, 0.8),
        only_move={"text": "xy", "static": "xy", "explode": "xy", "pull": "xy"},
    )
    markers.remove()
    _settle(axes, named, np.asarray(points), every)


def _settle(axes: Axes, named: Sequence[Text], points: NDArray[np.float64], every: NDArray[np.float64]) -> None:
    """Move each name that still lies on one of the points ``every`` [N, 2], on another text or beyond ``axes`` to the
    nearest free place about its own point, and leave it out where there is none; a thin line leads from a point to a
    name apart."""
    scale = axes.figure.dpi / 72  # pixels a point of type
    room, back = axes.get_window_extent(), axes.transData.inverted()
    reach_of_mark = 4 * scale
    taken = [Bbox([spot - reach_of_mark, spot + reach_of_mark]) for spot in axes.transData.transform(every)]
    taken += [text.get_window_extent() for text in axes.texts if text not in named]
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for text, point in zip(named, axes.transData.transform(points), strict=True):
        box = text.get_window_extent()
        half, middle = np.array([box.width, box.height]) / 2, np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
        around = [
            point + (half + reach * scale) * (np.cos(turn), np.sin(turn))
            for reach in range(4, 100, 4)
            for turn in turns
        ]
        for centre in (middle, *around):
            moved = Bbox([centre - half, centre + half])
            if moved.containsx(point[0]) and moved.containsy(point[1]):
                continue
            whole = room.x0 <= moved.x0 and moved.x1 <= room.x1 and room.y0 <= moved.y0 and moved.y1 <= room.y1
            if whole and not any(moved.overlaps(other) for other in taken):
                break
        else:
            text.set_visible(False)
            continue
        text.set_position(tuple(back.transform(axes.transData.transform(text.get_position()) + centre - middle)))
        taken.append(moved)
        nearest = np.clip(point, moved.min, moved.max)
        if np.hypot(*(nearest - point)) > 7 * scale:
            line = {"arrowstyle": "-", "color": style.FAINT, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
            ends = [tuple(back.transform(end)) for end in (point, nearest)]
            axes.annotate("", ends[0], xytext=ends[1], arrowprops=line)


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Positions near ``values``, in their order, at least ``gap`` apart: for labels at the ends of lines."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    placed = [values[i] for i in order]
    for _ in range(200):
        moved = False
        for k in range(1, len(placed)):
            short = gap - (placed[k] - placed[k - 1])
            if short > 1e-9:
                placed[k] += short / 2
                placed[k - 1] -= short / 2
                moved = True
        if not moved:
            break
    result = [0.0] * len(values)
    for k, i in enumerate(order):
        result[i] = placed[k]
    return result


def name_ends(
    axes: Axes,
    ends: Sequence[tuple[str, float, float, Any]],
    *,
    height: float,
    size: float = 6.0,
    strong: Sequence[str] = (),
) -> None:
    """Names beyond the right end of ``axes``, no two on one line: of lines by (name, x and y of its end, colour), an
    infinite x for a line across all of ``axes``; ``strong`` ones in bold. ``height``: of the figure, inches. Call it
    when the limits stand."""
    low, high = axes.get_ylim()
    places = spread([y for _, _, y, _ in ends], (high - low) * 1.45 * size / 72 / (0.72 * height))
    edge = axes.get_xlim()[1]
    for (name, x, y, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            name,
            (min(x, edge), y),
            xycoords="data",
            xytext=(1.03, place),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=size,
            fontweight="bold" if name in strong else "normal",
            color=colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 1},
        )


def by_kind(
    axes: Axes,
    rows: pl.DataFrame,
    x: str,
    y: str,
    kind: str = "quadrant",
    *,
    colour: Mapping[str, str] = style.QUADRANT_COLOUR,
    marker: Mapping[str, str] = style.QUADRANT_MARKER,
    **options: Any,
) -> None:
    """A point a row at its columns ``x`` and ``y``, in the colour and marker of its ``kind``, if it has one. Where the
    rows have a ``snapshot_id`` the points know it (:mod:`teachable.paper.points`)."""
    import seaborn as sns

    shown = rows.filter(pl.col(kind).is_in(list(colour)))
    sns.scatterplot(
        x=shown[x].to_numpy(),
        y=shown[y].to_numpy(),
        hue=shown[kind].to_list(),
        style=shown[kind].to_list(),
        palette=dict(colour),
        markers=dict(marker),
        legend=False,
        ax=axes,
        **options,
    )
    if "snapshot_id" in shown.columns and shown.height:
        points.mark(axes.collections[-1], shown["snapshot_id"].to_list())  # type: ignore[arg-type]


def keys(axes: Axes, entries: Sequence[tuple[str, str, str]], **options: Any) -> None:
    """A legend of markers: (label, colour, marker)."""
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            marker=marker,
            color=colour,
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.4,
        )
        for _, colour, marker in entries
    ]
    axes.legend(handles, [label for label, _, _ in entries], **options)


def wrap(text: str, width: int, lines: int) -> str:
    """``text`` in at most ``lines`` lines of ``width`` characters; an ellipsis says that something was cut."""
    found = textwrap.wrap(" ".join(text.split()), width) or [""]
    if len(found) > lines:
        found = found[:lines]
        found[-1] = found[-1][: width - 2].rstrip() + " …"
    return "\n".join(found)


def or_why(axes: Axes, draw: Callable[[Axes], Any]) -> Any:
    """What ``draw(axes)`` returns; ``None`` where its numbers are not defined: the panel then says so, and why, and
    the other panels of the figure stand.
    """
    try:
        return draw(axes)
    except Undefined as error:
        axes.clear()
        axes.set_axis_off()
        text = textwrap.fill(f"Not defined on these data: {error}", 40)
        axes.text(0, 1, text, fontsize=style.SMALLEST, va="top", color=style.MUTED, transform=axes.transAxes)
        return None
