"""Write the report: what was run, which criteria hold, the figures and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.report.run import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

ABOUT = {
    "about": "write the report",
    "inputs": "config criteria labeled thresholds skills splits episodes training_summary pictures=png* listings=csv*",
    "outputs": {"html": ("report.html",), "markdown": ("report.md",)},
    "own": {"libraries": "list", "viewer": "str?"},
    "follows": "teachable.paper.figures.* teachable.paper.tables.*",
}


def run(data: Mapping[str, Any], out: Mapping[str, Path], libraries: Sequence[str], viewer: str | None) -> None:
    """``libraries`` are the distributions that the world is made of, whose versions are shown; ``viewer`` the page to
    which points of figures lead, seen from the report."""
    page = write(data, libraries, viewer)
    out["html"].write_text(page.html, encoding="utf-8")
    out["markdown"].write_text(page.markdown, encoding="utf-8")
