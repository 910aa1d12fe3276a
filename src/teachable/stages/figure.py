"""Draw one figure of the paper, as PDF and PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.render import draw, save_figure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

ABOUT = {
    "about": "draw one figure",
    "inputs": "*",
    "outputs": {"pdf": (), "png": ()},
    "own": {"item": "str"},
    "follows": "teachable.paper.figures.{item}",
}


def run(data: Mapping[str, Any], out: Mapping[str, Path], item: str) -> None:
    save_figure(draw(item, data), out["pdf"], out["png"])
