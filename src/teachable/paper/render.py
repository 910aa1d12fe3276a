"""From a registry entry to the files of a figure: draw it and save it in both formats.

Bytes are reproducible: no dates or library versions in the metadata, fonts embedded as TrueType subsets,
files written to a temporary name and renamed.
"""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

from matplotlib.figure import Figure

from teachable.paper import items, points, style
from teachable.paper.inputs import Data, Undefined
from teachable.tables import write_bytes

DPI = 220  # of the PNG; the PDF is vector


def draw(item: str, data: Data, expert: str | None = None) -> Figure:
    """The figure ``item`` (for example ``h1_1``) from its inputs; ``expert`` is named below it. Raises PaperError where
    an input is missing."""
    with style.theme():
        try:
            drawn: Figure = items.module("figures", item).draw(data)
        except Undefined as error:
            drawn = _undefined(str(error))
        if expert is not None:
            style.footnote(drawn, "; ".join(filter(None, [drawn.get_supxlabel(), f"expert: {expert}"])))
        style.own_math(drawn)
    return drawn


def figure_bytes(figure: Figure, *, dpi: int = DPI, formats: tuple[str, ...] = ("pdf", "png")) -> dict[str, bytes]:
    """The figure in each format. The same figure gives the same bytes."""
    metadata: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    made = {}
    with style.theme():
        for kind in formats:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata[kind])
            made[kind] = buffer.getvalue() if kind != "png" else points.kept(buffer.getvalue(), figure)
    return made


def save_figure(figure: Figure, pdf: Path | str, png: Path | str, *, dpi: int = DPI) -> None:
    """Write both formats, each atomically."""
    made = figure_bytes(figure, dpi=dpi)
    write_bytes(made["pdf"], pdf)
    write_bytes(made["png"], png)


def _undefined(reason: str) -> Figure:
    """In place of a picture: that every stored estimate is undefined, and which."""
    drawn, axes = style.single(style.COLUMN, 1.4)
    axes.set_axis_off()
    axes.text(0, 0.9, "Not defined on these data", fontweight="bold", fontsize=8, va="top", transform=axes.transAxes)
    axes.text(
        0,
        0.68,
        textwrap.fill(reason, 66),
        fontsize=5.8,
        va="top",
        color=style.MUTED,
        transform=axes.transAxes,
    )
    return drawn
