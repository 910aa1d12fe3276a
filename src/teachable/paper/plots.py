"""What the figures share: points with whiskers, annotated matrices, frontiers, labels that keep apart.

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
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from teachable.paper import points, style
from teachable.paper.inputs import Interval, Undefined, number


def whisker(
    axes: Axes,
    place: float,
    value: Interval,
    *,
    colour: str,
    marker: str = "o",
    horizontal: bool = False,
    size: float = 4.5,
    hollow: bool = False,
    label: str | None = None,
) -> None:
    """A point with its stored interval at ``place`` on the category axis; no whisker where there is no interval."""
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
        label=label,
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
) -> None:
    """Vertical whiskers side by side: one place a group, one offset a series; a missing cell stays empty."""
    offsets = np.linspace(-width / 2, width / 2, len(series)) if len(series) > 1 else [0.0]
    for at, group in enumerate(groups):
        for offset, item in zip(offsets, series, strict=True):
            found = value(group, item)
            if found is not None:
                whisker(axes, at + float(offset), found, colour=colour[item], marker=(marker or {}).get(item, "o"))
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
            hollow=not value.excludes_zero,
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


def matrix(
    axes: Axes,
    cells: Mapping[tuple[str, str], Interval],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    limit: float | None = None,
    outline: Callable[[str, str], bool] = lambda _row, _column: False,
    digits: int = 2,
    small: bool = False,
) -> Any:
    """A heat map of changes: the point, its interval below, a dot where the interval excludes 0.

    Colours are symmetric about 0 up to ``limit`` (default: the largest absolute point, at least 0.05). A cell
    that was not measured is hatched. Returns the image for a colour bar.
    """
    known = [abs(cell.point) for cell in cells.values()]
    limit = limit or max([0.05, *known])
    values = np.full((len(rows), len(columns)), np.nan)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if (row, column) in cells:
                values[i, j] = cells[row, column].point
    norm = Normalize(-limit, limit)
    image = axes.imshow(values, cmap=style.DIVERGING, norm=norm, aspect="auto")
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cell = cells.get((row, column))
            if cell is None:
                axes.add_patch(
                    Rectangle(
                        (j - 0.5, i - 0.5),
                        1,
                        1,
                        facecolor="white",
                        edgecolor=style.FAINT,
                        hatch="////",
                        linewidth=0,
                    )
                )
                continue
            ink = "white" if abs(cell.point) > 0.72 * limit else style.INK
            axes.text(
                j,
                i - 0.1,
                number(cell.point, digits, signed=True),
                ha="center",
                va="center",
                fontsize=6.2 if small else 8,
                fontweight="bold",
                color=ink,
            )
            if not math.isnan(cell.low):
                axes.text(
                    j,
                    i + 0.22,
                    f"{number(cell.low, digits)} to {number(cell.high, digits)}",
                    ha="center",
                    va="center",
                    fontsize=(3.9 if len(columns) > 3 else 4.6) if small else 5.4,
                    color=ink,
                )
            if cell.excludes_zero:
                axes.plot([j + 0.4], [i - 0.36], "o", color=ink, markersize=2.2 if small else 2.8)
            if outline(row, column):
                axes.add_patch(
                    Rectangle(
                        (j - 0.47, i - 0.46),
                        0.94,
                        0.92,
                        fill=False,
                        edgecolor=style.INK,
                        linewidth=1.1,
                        zorder=5,
                    )
                )
    axes.set_xticks(range(len(columns)), [style.name(c) for c in columns])
    axes.set_yticks(range(len(rows)), [style.name(r) for r in rows])
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


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
        force_static=(0.5, 0.2),
        only_move={"text": "xy", "static": "x", "explode": "x", "pull": "xy"},
        arrowprops={"arrowstyle": "-", "color": style.FAINT, "linewidth": 0.5},
    )
    markers.remove()


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
        text = textwrap.fill(f"Not defined on these data: {error}", 44)
        axes.text(0, 1, text, fontsize=5, va="top", color=style.MUTED, transform=axes.transAxes)
        return None
