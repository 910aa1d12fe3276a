"""The pictures of docs/engine.md, as SVG text: plain shapes, so that a diff of them can be read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

INK, PALE, OURS, OTHER = "#1f2933", "#cbd2d9", "#1b7f5c", "#b3541e"


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """A whole file."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="13" fill="{INK}" role="img"><title>{title}</title>'
    )
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>", ""])


def text(x: float, y: float, said: str, anchor: str = "start", colour: str = INK, size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">{said}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = INK, width: float = 1.2) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"/>'


def box(x: float, y: float, width: float, said: str, colour: str = OURS) -> str:
    """A token."""
    return (
        f'<rect x="{x:.1f}" y="{y - 15:.1f}" width="{width:.1f}" height="22" rx="4" fill="white" stroke="{colour}"/>'
        + text(x + width / 2, y, said, "middle")
    )


def tree() -> str:
    """Three commands as a tree of tokens behind one prompt, beside three full sequences."""
    parts = [text(20, 26, "One forward pass: the prompt once, its commands as a tree of tokens", size=14)]
    parts.append(box(20, 90, 170, "prompt, 300 tokens", INK))
    nodes = {
        "take": (250, 62, "take"), "red": (340, 62, "red"), "apple": (430, 62, "apple"), "from": (520, 62, "from"),
        "counter": (610, 62, "counter"), "go": (250, 118, "go"), "north": (340, 118, "north"),
    }  # fmt: skip
    for before, after in (("take", "red"), ("red", "apple"), ("apple", "from"), ("from", "counter"), ("go", "north")):
        parts.append(line(nodes[before][0] + 70, nodes[before][1] - 4, nodes[after][0], nodes[after][1] - 4))
    for first in ("take", "go"):
        parts.append(line(190, 86, 250, nodes[first][1] - 4))
    parts += [box(x, y, 70, said) for x, y, said in nodes.values()]
    parts.append(line(680, 58, 715, 58, PALE))
    parts.append(line(410, 114, 445, 114, PALE))
    parts.append(line(465, 69, 465, 76, PALE))
    parts += [text(718, 62, "end"), text(448, 118, "end"), text(465, 88, "end", "middle")]
    parts.append(
        text(20, 158, "A node sees the prompt and its own ancestors: 300 + 7 tokens are encoded.", colour=OURS)
    )
    parts.append(text(20, 200, "One forward pass a command: the prompt each time", size=14))
    for number, said in enumerate(("take red apple", "take red apple from counter", "go north")):
        y = 232 + 30 * number
        parts.append(box(20, y, 170, "prompt, 300 tokens", INK))
        parts += [box(200 + 80 * at, y, 70, word, OTHER) for at, word in enumerate(said.split())]
    parts.append(text(20, 326, "300 + 3, 300 + 5, 300 + 2: 910 tokens are encoded.", colour=OTHER))
    return svg(770, 345, "Commands as a tree of tokens behind one prompt", parts)


def estimator(row: Mapping[str, Any]) -> str:
    """Error by calls of the model, both axes in powers, for probabilities and for ELP_net."""
    panels = (("rmse_p", "RMSE of success probabilities"), ("rmse_ELP", "RMSE of ELP_net"))
    methods = row["methods"]
    calls = [one["calls"] for one in methods]
    low, high = 0.75 * min(calls), 1.1 * max(calls)
    errors = [one[key] for key, _ in panels for one in methods]
    bottom, top = 0.8 * min(errors), 1.25 * max(errors)
    parts: list[str] = []
    width, head, height = 290, 40, 230
    for number, (key, title) in enumerate(panels):
        left = 70 + 380 * number

        def place(call: float, error: float, left: int = left) -> tuple[float, float]:
            across = math.log(call / low) / math.log(high / low)
            up = math.log(error / bottom) / math.log(top / bottom)
            return left + width * across, head + height * (1 - up)

        parts.append(text(left, 24, title, size=14))
        parts.append(line(left, head + height, left + width, head + height))
        parts.append(line(left, head, left, head + height))
        for tick in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
            if bottom <= tick <= top:
                _, y = place(low, tick)
                parts += [line(left, y, left + width, y, PALE, 0.6), text(left - 8, y + 4, f"{tick:g}", "end")]
        for tick in (2, 5, 10, 20, 50, 100):
            if low <= tick <= high:
                x, _ = place(tick, top)
                parts += [
                    line(x, head + height, x, head + height + 5),
                    text(x, head + height + 20, str(tick), "middle"),
                ]
        parts.append(text(left + width / 2, head + height + 40, "calls of the model a snapshot", "middle"))
        for start, colour in (("tree", OURS), ("Monte Carlo", OTHER)):
            points = sorted(
                (one["calls"], one[key], one["method"]) for one in methods if one["method"].startswith(start)
            )
            path = " ".join("{:.1f},{:.1f}".format(*place(call, error)) for call, error, _ in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            for call, error, method in points:
                x, y = place(call, error)
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
                said = method.removeprefix("Monte Carlo ").removeprefix("tree ")
                parts.append(
                    text(x + 7, y - 6, said, colour=colour, size=11)
                    if colour == OTHER
                    else text(x - 7, y + 14, said, "end", colour, 11)
                )
    parts.append(text(70, 335, "tree: prompts expanded + episodes from its frontier", colour=OURS))
    parts.append(text(450, 335, "Monte Carlo: n episodes a condition", colour=OTHER))
    return svg(770, 350, "Error of labels by calls of the model, rollout tree and Monte Carlo", parts)
