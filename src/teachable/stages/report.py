"""Write the report: what was run, which criteria hold, the figures and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.report.run import archive, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

ABOUT = {
    "about": "write the report",
    "inputs": "config criteria labeled thresholds skills splits episodes training_summary "
    "pictures=png* listings=csv* vectors=pdf* sources=tex* viewer?",
    "outputs": {
        "html": ("report.html",),
        "markdown": ("report.md",),
        "archive": ("report.zip", None, "report.html and the viewer that it leads to, to be mailed"),
    },
    "own": {"libraries": "list"},
    "follows": "teachable.paper.figures.* teachable.paper.tables.*",
}


def run(data: Mapping[str, Any], out: Mapping[str, Path], libraries: Sequence[str]) -> None:
    """``libraries`` are the distributions that the world is made of, whose versions are shown."""
    page = write(data, libraries)
    out["html"].write_text(page.html, encoding="utf-8")
    out["markdown"].write_text(page.markdown, encoding="utf-8")
    out["archive"].write_bytes(archive(page, data["viewer"]))
