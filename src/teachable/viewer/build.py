"""The files of the viewer, one after the other."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from teachable.terms import CONDITIONS, QUADRANTS, Verbosity
from teachable.viewer.details import chunks
from teachable.viewer.index import ENDED, ended, index
from teachable.viewer.sources import Sources

PAGE = "index.html"
TITLE = "<title>Teachable moments: snapshots</title>"  # by which a folder is known as a viewer
CHUNK = 100
"""Snapshots of a chunk: what is loaded when one is shown. Of the small student some 300 kB."""


def files(
    sources: Sources,
    *,
    preset: str,
    verbosity: Verbosity,
    texts: dict[str, Any] | None = None,
    chunk: int = CHUNK,
    only: Iterable[int] | None = None,
) -> Iterator[tuple[str, str]]:
    """(path within the folder, text) of every file of the viewer; ASCII, but for the page.

    ``preset`` names the run in the page's head, ``verbosity`` says which wording of the patches the student read,
    ``texts`` adds to what the index tells of the run; ``only``: the numbers of the chunks that are made, for trials.
    """
    ordered = sources.ordered()
    ordered = ordered.with_columns(ended(ordered, sources.episodes).alias(ENDED))
    told = {
        **index(ordered, sources),
        "preset": preset,
        "size": chunk,
        "conditions": list(CONDITIONS),
        "quadrants": list(QUADRANTS),
        **(texts or {}),
    }
    yield PAGE, page()
    yield "data/index.js", f"index({_json(told)});\n"
    parts = {0: ordered} if only is None else {number: ordered.slice(number * chunk, chunk) for number in only}
    for first, rows in parts.items():
        for number, made in enumerate(chunks(rows, sources, chunk, verbosity), first):
            yield f"data/{number}.js", f"chunk({number},{_json(made)});\n"


def page() -> str:
    """The page itself: style and program inline, and a policy that lets nothing else run or load but the data."""
    style, script = _text("page.css"), _text("page.js")
    policy = (
        f"default-src 'none'; script-src {_hash(script)} 'self' file:; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    text = _text("page.html").replace("@policy@", policy)
    return text.replace("@style@", style).replace("@script@", script)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
