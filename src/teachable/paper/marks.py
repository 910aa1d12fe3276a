"""The few marks all figures share: points with whiskers, annotated matrices, frontiers, labels that keep apart."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from teachable.paper import style
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
    """Name points directly, each at the free one of eight places around it (greedy, in order).

    Call it when limits are set. Widths are estimated from the number of characters, so no renderer is needed
    and the result does not depend on the device.
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        return
    box = axes.get_position()
    inches = figure.get_size_inches()
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    wide, high = box.width * inches[0] * 72, box.height * inches[1] * 72

    def spot(point: tuple[float, float]) -> tuple[float, float]:
        return (point[0] - x0) / (x1 - x0) * wide, (point[1] - y0) / (y1 - y0) * high

    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in map(spot, [*points, *obstacles])]
    gap = 5.0
    sides = (
        (gap, 0, "left", "center"),
        (-gap, 0, "right", "center"),
        (0, gap, "center", "bottom"),
        (0, -gap, "center", "top"),
        (gap, gap, "left", "bottom"),
        (-gap, gap, "right", "bottom"),
        (gap, -gap, "left", "top"),
        (-gap, -gap, "right", "top"),
    )
    for at, (point, text) in enumerate(zip(points, texts, strict=True)):
        length, height = 0.58 * size * len(text), 1.2 * size
        x, y = spot(point)
        best: tuple[float, tuple[float, float, str, str], tuple[float, float, float, float]] | None = None
        for rank, side in enumerate(sides):
            dx, dy, ha, va = side
            left = x + dx - {"left": 0.0, "center": length / 2, "right": length}[ha]
            low = y + dy - {"bottom": 0.0, "center": height / 2, "top": height}[va]
            area = (left, low, left + length, low + height)
            cost = sum(_overlap(area, other) for k, other in enumerate(taken) if k != at) + rank * 0.01
            cost += 50 * ((left < 0) + (area[2] > wide) + (low < 0) + (area[3] > high))
            if best is None or cost < best[0]:
                best = (cost, side, area)
        if best is None:
            continue
        _, (dx, dy, ha, va), area = best
        taken.append(area)
        axes.annotate(
            text,
            point,
            xytext=(dx, dy),
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize=size,
            zorder=6,
            color=colours[at] if colours else style.INK,
            bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 0.3},
        )


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


def jitter(count: int, width: float) -> np.ndarray:
    """Offsets ``[count]`` in ±width/2 that fill it evenly and are the same every time (golden-ratio sequence)."""
    return ((np.arange(count) * 0.6180339887498949) % 1.0 - 0.5) * width


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


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


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
        axes.text(0, 1, text, fontsize=5, va="top", color=style.MUTED, parse_math=False, transform=axes.transAxes)
        return None
