"""The report of a run: one page, as Markdown and as self-contained HTML.

The HTML carries its pictures, the files of its figures and tables and its style inline, so that it can be mailed and
read without a network; only the viewer of snapshots, hundreds of files for a large study, lies beside it.
:func:`packed` puts both into one archive. The page follows the reader's light or dark setting and prints well. Nothing
here reads files: the stage hands over pictures as bytes and tables as frames.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
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
from teachable.paper.criteria import shown, verdicts
from teachable.paper.inputs import PaperError, number
from teachable.paper.registry import FIGURES, MINIMUM, TABLES, Item

MIME = {"pdf": "application/pdf", "csv": "text/csv", "tex": "application/x-tex"}
KIND = {"pdf": "PDF", "png": "PNG", "csv": "CSV", "tex": "LaTeX"}
LONG = 28  # characters of a text that stay on one line
FIRST = 3  # criteria that failed, and what to do of each, at the top of the page
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
    files: Mapping[str, bytes] | None = None,
    root: str = "..",
    viewer: str | None = None,
) -> Report:
    """The report from the criteria, the PNG bytes of figures and the frames of tables, by id.

    The minimum figures and tables must all be there (:class:`PaperError` names those that are not); what else is given
    is shown after them. ``files`` are those of figures and tables by name (``fig_h1_1.pdf``), which the page carries to
    be saved from it. ``root`` leads from the Markdown to the directory that holds ``figures/`` and ``tables/``,
    ``viewer`` from both to the page on which snapshots are browsed; points of figures that are snapshots lead there.
    """
    absent = [f"figure {i}" for i in MINIMUM["figures"] if i not in pictures]
    absent += [f"table {i}" for i in MINIMUM["tables"] if i not in tables]
    if absent:
        raise PaperError(f"The report lacks {', '.join(absent)}: draw the minimum paper first.")
    carried = files or {}
    places = {*(f"fig-{name}" for name in pictures), *(f"tab-{name}" for name in tables)}
    judged = [_criterion(entry, places) for entry in criteria]
    context = {
        "run": run,
        "first": _first(judged),
        "notes": [*run.limits, *([SMALL_STUDENT] if run.builtin_student else []), *run.planted, *NOTES],
        "tally": verdicts([dict(entry) for entry in criteria]),
        "criteria": judged,
        "viewer": viewer,
        "figures": [
            _figure(i, pictures[i], carried, root, viewer, run.expert)
            for i in _minimum_first("figures", FIGURES)
            if i in pictures
        ],
        "tables": [
            _table(i, tables[i], carried, root, run.expert) for i in _minimum_first("tables", TABLES) if i in tables
        ],
        "files": [_files(item, places, root) for item in (*FIGURES.values(), *TABLES.values())],
    }
    return Report(
        _template("report.md.jinja", False).render(context),
        _template("report.html.jinja", True).render(context),
    )


def packed(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A ZIP archive of names and contents, in the order given; the same members give the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            member = zipfile.ZipInfo(name)  # dated 1980
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
    return made.getvalue()


def _minimum_first(kind: str, registry: Mapping[str, Item]) -> list[str]:
    first = list(MINIMUM[kind])
    return first + [name for name in registry if name not in first]


def _first(judged: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first criteria that failed, one for each piece of advice."""
    failed = {str(entry["advice"]): entry for entry in reversed(judged) if entry["passed"] is False}
    return sorted(failed.values(), key=list(judged).index)[:FIRST]


def _criterion(entry: Mapping[str, Any], places: Collection[str]) -> dict[str, Any]:
    value = entry["value"]
    digits = 0 if value is not None and float(value).is_integer() and entry["low"] is None and abs(value) >= 2 else 2
    estimate = "\N{EN DASH}" if value is None else number(value, digits)
    between = "" if entry["low"] is None else f"[{number(entry['low'])}, {number(entry['high'])}]"
    place = shown(entry["id"])
    return {
        **entry,
        "place": place if place in places else None,
        "estimate": estimate,
        "between": between,
        "detectable": "" if entry.get("mde") is None else number(entry["mde"]),
        "mark": MARK[entry["passed"]],
        "word": WORD[entry["passed"]],
    }


def _figure(
    name: str, picture: bytes, carried: Mapping[str, bytes], root: str, viewer: str | None, expert: str | None
) -> dict[str, Any]:
    item = FIGURES[name]
    pdf, png = (f"{root}/{path}" for path in item.files)
    return {
        "item": item,
        "caption": item.captioned(expert),
        "number": item.number,
        "data": _uri("image/png", picture),
        "carried": _carried(item.files, carried),
        "pdf": pdf,
        "png": png,
        "width": _width(picture),
        "points": [] if viewer is None else _links(picture, viewer),
    }


def _carried(paths: Iterable[str], carried: Mapping[str, bytes]) -> list[dict[str, str]]:
    """Those of the files at ``paths`` that the page carries: what each is called, and its content as an address."""
    names = [path.rsplit("/", 1)[1] for path in paths]
    return [
        {"name": name, "kind": _called(name), "data": _uri(MIME[name.rsplit(".", 1)[1]], carried[name])}
        for name in names
        if name in carried
    ]


def _uri(mime: str, content: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


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


def _table(
    name: str, frame: pl.DataFrame, carried: Mapping[str, bytes], root: str, expert: str | None
) -> dict[str, Any]:
    item = TABLES[name]
    heads = typeset.headings(name)
    numeric = [frame.schema[column].is_numeric() for column in heads]
    rows = typeset.cells(frame, heads)
    return {
        "item": item,
        "caption": item.captioned(expert),
        "number": item.number,
        "carried": _carried(item.files, carried),
        "files": _linked(item.files, root),
        "heads": list(heads.values()),
        "numeric": numeric,
        "classes": _classes(list(heads.values()), numeric, rows),
        "rows": rows,
    }


def _classes(titles: Sequence[str], numeric: Sequence[bool], rows: Sequence[Sequence[str]]) -> list[str]:
    """How each column is set: numbers to the right; long texts on several lines; the first that names a row stays in
    sight when the table is scrolled."""
    key = next((at for at, title in enumerate(titles) if title and not numeric[at]), 0)
    longest = [max((len(row[at]) for row in rows), default=0) for at in range(len(titles))]
    return [
        " ".join(filter(None, ("number" if numeric[at] else "text" * (longest[at] > LONG), "key" * (at == key))))
        for at in range(len(titles))
    ]


def _linked(paths: Iterable[str], root: str) -> list[tuple[str, str]]:
    """What each file is called in a link, and where it lies."""
    return [(_called(path), f"{root}/{path}") for path in paths]


def _called(path: str) -> str:
    kind = path.rsplit(".", 1)[1]
    return KIND[kind] + (", all of it" if path.endswith(f"_full.{kind}") else "")


def _files(item: Item, places: Collection[str], root: str) -> dict[str, Any]:
    paths = item.files  # type: ignore[attr-defined]
    kind = "Fig." if item.id in FIGURES and FIGURES[item.id] is item else "Tab."
    place = f"{kind[:3].lower()}-{item.id}"
    inputs = [(name, ARTIFACTS[name].whole) for name in item.inputs]
    return {
        "name": f"{kind} {item.number}",
        "title": item.title,
        "inputs": inputs,
        "place": place if place in places else None,
        "names": paths,
        "paths": _linked(paths, root),
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
