"""The report of a run: one page, as Markdown and as self-contained HTML.

The HTML carries its pictures as data URIs and its style inline, so that it can be mailed and read without a
network. It follows the reader's light or dark setting and prints well. Nothing here reads files: the stage
hands over pictures as bytes and tables as frames.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from teachable.artifacts.catalogue import ARTIFACTS
from teachable.paper import points, render, typeset
from teachable.paper.criteria import verdicts
from teachable.paper.inputs import PaperError, number
from teachable.paper.registry import FIGURES, MINIMUM, TABLES, Item

MARK = {True: "\N{CHECK MARK}", False: "\N{BALLOT X}", None: "\N{EN DASH}"}
WORD = {True: "pass", False: "fail", None: "not measurable"}
SMALL_STUDENT = (
    "The student of this run is the project's own small model, trained from scratch on games. Its numbers show that "
    "the whole pipeline works and that every effect can be measured; they do not say what a pretrained model of "
    "billions of parameters would show."
)
NOTES = (
    "Intervals are 95 % and treat games, not snapshots or episodes, as the independent units; those of trained models "
    "also the training seeds, where there are several. Models are compared by paired differences on the same games and "
    "seeds.",
    "A detectable effect is the smallest true one that would have been seen with 80 % power: a criterion that fails "
    "with an interval around 0 says that the truth is probably smaller than that, not that it is 0.",
    "ELP_net is a maximum over three noisy formats and therefore too high on average; where a figure or table shows "
    "the corrected value, it says so.",
    "Figures and tables only show stored numbers. One that lacks an input fails and names it; nothing is filled in.",
)


@dataclass(frozen=True, slots=True)
class Run:
    """What was run. ``limits`` says what it cannot tell and why, ``planted`` which gaps were planted in the
    student and where they were found. ``counts`` and ``versions`` are printed in the order given.
    """

    preset: str
    seed: int
    student: str
    teacher: str
    builtin_student: bool
    limits: Sequence[str] = ()
    planted: Sequence[str] = ()
    counts: Mapping[str, int | str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    expert: str | None = None  # its name; None: the game's solver


@dataclass(frozen=True, slots=True)
class Report:
    """The two renderings of the same report."""

    markdown: str
    html: str


def report(
    run: Run,
    criteria: Sequence[Mapping[str, Any]],
    *,
    pictures: Mapping[str, bytes],
    tables: Mapping[str, pl.DataFrame],
    root: str = "..",
    viewer: str | None = None,
) -> Report:
    """The report from the criteria, the PNG bytes of figures and the frames of tables, by id.

    The minimum figures and tables must all be there (:class:`PaperError` names those that are not); what else is given
    is shown after them. ``root`` leads from the report to the directory that holds ``figures/`` and ``tables/``,
    ``viewer`` to the page on which snapshots are browsed; points of figures that are snapshots lead there.
    """
    absent = [f"figure {i}" for i in MINIMUM["figures"] if i not in pictures]
    absent += [f"table {i}" for i in MINIMUM["tables"] if i not in tables]
    if absent:
        raise PaperError(f"The report lacks {', '.join(absent)}: draw the minimum paper first.")
    context = {
        "run": run,
        "notes": [*run.limits, *([SMALL_STUDENT] if run.builtin_student else []), *run.planted, *NOTES],
        "tally": verdicts([dict(entry) for entry in criteria]),
        "criteria": [_criterion(entry) for entry in criteria],
        "viewer": viewer,
        "figures": [
            _figure(i, pictures[i], root, viewer, run.expert)
            for i in _minimum_first("figures", FIGURES)
            if i in pictures
        ],
        "tables": [_table(i, tables[i], root, run.expert) for i in _minimum_first("tables", TABLES) if i in tables],
        "files": [_files(item, root) for item in (*FIGURES.values(), *TABLES.values())],
    }
    return Report(
        _template("report.md.jinja", False).render(context),
        _template("report.html.jinja", True).render(context),
    )


def _minimum_first(kind: str, registry: Mapping[str, Item]) -> list[str]:
    first = list(MINIMUM[kind])
    return first + [name for name in registry if name not in first]


def _criterion(entry: Mapping[str, Any]) -> dict[str, Any]:
    value = entry["value"]
    digits = 0 if value is not None and float(value).is_integer() and entry["low"] is None and abs(value) >= 2 else 2
    shown = "\N{EN DASH}" if value is None else number(value, digits)
    between = "" if entry["low"] is None else f"[{number(entry['low'])}, {number(entry['high'])}]"
    return {
        **entry,
        "shown": shown,
        "between": between,
        "detectable": "" if entry.get("mde") is None else number(entry["mde"]),
        "mark": MARK[entry["passed"]],
        "word": WORD[entry["passed"]],
    }


def _figure(name: str, picture: bytes, root: str, viewer: str | None, expert: str | None) -> dict[str, Any]:
    item = FIGURES[name]
    pdf, png = (f"{root}/{path}" for path in item.files)
    data = "data:image/png;base64," + base64.b64encode(picture).decode()
    return {
        "item": item,
        "caption": item.captioned(expert),
        "number": item.number,
        "data": data,
        "pdf": pdf,
        "png": png,
        "width": _width(picture),
        "points": [] if viewer is None else _links(picture, viewer),
    }


def _links(picture: bytes, viewer: str) -> list[dict[str, Any]]:
    """The points of a picture that are snapshots, in hundredths of its size, and the page of each."""
    return [
        {
            "x": f"{100 * point.x:.3f}%",
            "y": f"{100 * point.y:.3f}%",
            "name": point.snapshot,
            "to": f"{viewer}#{urlencode({'id': point.snapshot})}",
        }
        for point in points.read(picture)
    ]


def _table(name: str, frame: pl.DataFrame, root: str, expert: str | None) -> dict[str, Any]:
    item = TABLES[name]
    heads = typeset.headings(name)
    tex, csv = (f"{root}/{path}" for path in item.files)
    numeric = [frame.schema[column].is_numeric() for column in heads]
    return {
        "item": item,
        "caption": item.captioned(expert),
        "number": item.number,
        "tex": tex,
        "csv": csv,
        "heads": list(heads.values()),
        "numeric": numeric,
        "rows": typeset.cells(frame, heads),
    }


def _files(item: Item, root: str) -> dict[str, Any]:
    paths = item.files  # type: ignore[attr-defined]
    kind = "Fig." if item.id in FIGURES and FIGURES[item.id] is item else "Tab."
    inputs = [(name, ARTIFACTS[name].whole) for name in item.inputs]
    return {
        "name": f"{kind} {item.number}",
        "title": item.title,
        "inputs": inputs,
        "paths": [(path.rsplit(".", 1)[1].upper(), f"{root}/{path}") for path in paths],
    }


def _width(picture: bytes) -> int:
    """Width of a PNG in CSS pixels at the size it has in print."""
    if picture[:8] != b"\x89PNG\r\n\x1a\n":
        raise PaperError("A picture handed to the report is not a PNG file.")
    return round(int.from_bytes(picture[16:20], "big") / render.DPI * 96 * 1.25)


@cache
def _template(name: str, html: bool) -> Any:
    environment = Environment(
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    environment.globals["style"] = Markup(_text("report.css")) if html else ""
    return environment.from_string(_text(name))


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
