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
    "own": {"item": "str", "expert": "str?"},
    "follows": "teachable.paper.figures.{item}",
}


def run(data: Mapping[str, Any], out: Mapping[str, Path], item: str, expert: str | None) -> None:
    """``expert``: the name of an expert that the figure is to say."""
    save_figure(draw(item, data, expert), out["pdf"], out["png"])
