"""What the report says of a run: its counts and versions, and where its pictures and tables lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl

from teachable.errors import TableError
from teachable.paper.limits import limits
from teachable.paper.planted import sentences
from teachable.paper.registry import FIGURES, TABLES
from teachable.paper.report import Report, Run, packed, report
from teachable.paper.typeset import headings
from teachable.terms import expert_name

_AGAIN = "delete it and run the workflow again."

LIBRARIES = (
    "teachable-moments",
    "snakemake",
    "torch",
    "transformers",
    "peft",
    "polars",
    "scikit-learn",
)


def write(data: Mapping[str, Any], libraries: Sequence[str]) -> Report:
    """The report of ``data``: frames and values by name, the paths of ``pictures`` (PNG) and ``listings`` (CSV), those
    of ``vectors`` (PDF) and ``sources`` (LaTeX), which the page carries, and of the folder ``viewer``, where there is
    one: it lies beside the report.

    Versions are shown of :data:`LIBRARIES` and of the distributions ``libraries``. What a run took is no part of it
    (``teachable costs`` says that): two runs with the same results have the same report.
    """
    config, entries = data["config"], data["criteria"]
    made = {path.name.partition("_")[2].rsplit(".", 1)[0]: path for path in data["pictures"]}
    listed = {path.name.partition("_")[2].rsplit(".", 1)[0]: path for path in data["listings"]}
    return report(
        Run(
            preset=config["preset"],
            seed=config["seed"],
            student=_student(config),
            teacher=_teacher(config),
            expert=expert_name(config.get("expert")),
            builtin_student=config["student"]["source"] == "builtin",
            limits=limits(data["episodes"], data["thresholds"], data["training_summary"], entries),
            planted=sentences(data["skills"]),
            counts=_counts(data),
            versions={name: metadata.version(name) for name in (*LIBRARIES, *libraries)},
        ),
        entries,
        pictures={name: made[name].read_bytes() for name in FIGURES if name in made},
        tables={name: _listing(listed[name], name) for name in TABLES if name in listed},
        files={path.name: path.read_bytes() for path in (*data["vectors"], *data["listings"], *data["sources"])},
        viewer=f"{data['viewer'].name}/index.html" if data["viewer"] else None,
    )


def archive(page: Report, viewer: Path | None) -> bytes:
    """What is mailed: the page and the folder of the ``viewer`` that it leads to, in one ZIP archive."""
    return packed(_members(page, viewer))


def _members(page: Report, viewer: Path | None) -> Iterator[tuple[str, bytes]]:
    yield "report.html", page.html.encode()
    if viewer is None:
        return
    for path in sorted(viewer.rglob("[!.]*")):  # Snakemake leaves a hidden file of its own there
        if path.is_file():
            yield f"{viewer.name}/{path.relative_to(viewer).as_posix()}", path.read_bytes()


def _listing(path: Path, name: str) -> pl.DataFrame:
    """The table ``name`` as its CSV file at ``path`` has it. Raises TableError, naming the file, where that is another
    one or none."""
    try:
        frame = pl.read_csv(path)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise TableError(
            f"{path} is not a readable CSV file ({' '.join(str(error).split())[:200]}): {_AGAIN}"
        ) from error
    missing = [column for column in headings(name) if column not in frame.columns]
    if missing:
        raise TableError(f"{path}: column {missing[0]} is missing: {_AGAIN}")
    return frame


def _counts(data: Mapping[str, Any]) -> dict[str, int | str]:
    episodes, labeled = data["episodes"], data["labeled"]
    played = episodes.filter(pl.col("behaviour") == "student")
    wins = played["success"].drop_nulls()
    return {
        **{f"{split} games": count for split, count in data["splits"]["games"].items()},
        "student episodes": len(played),
        "of which won": f"{wins.cast(pl.Float64).mean():.1%}" if len(wins) else "none",
        "engine faults": int(episodes["fault"].is_not_null().sum()),
        "failure snapshots": len(labeled),
        "of which without an expert": data["thresholds"]["no_expert"],
        **data["thresholds"]["counts"],
    }


def _student(config: dict[str, Any]) -> str:
    student = config["student"]
    if student["source"] == "builtin":
        shape = config["builtin"]
        return f"built-in, {shape['layers']} layers of {shape['hidden']}, made from scratch"
    named = f"{student['path']} at {student['revision'] or 'its newest revision here'}"
    warm = student.get("warm_start")
    if warm is None:
        return named
    return f"{named}, warmed up on at most {warm['max_steps'] * warm['batch_size']} decisions of the expert"


def _teacher(config: dict[str, Any]) -> str:
    teacher = config["teacher"]
    return "oracle (the game's own solver)" if teacher["source"] == "oracle" else teacher["model"]
