"""The student's episodes of phase 0 with their decisions, as logs and trajectories have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from teachable.export.card import public_name
from teachable.export.found import ExportError, Found

Row = Mapping[str, Any]


def student_episodes(found: Found) -> pl.DataFrame:
    """EPISODES of the student. Raises MissingInput without phase 0, ExportError where it has none of the student."""
    episodes = found.read("episodes").filter(behaviour="student")
    found.need("steps")
    if not episodes.height:
        raise ExportError(f"{found.need('episodes')} has no episode of the student.")
    return episodes


def student_name(found: Found) -> str:
    """``builtin``, a name on the hub, or of a folder its last part."""
    student = found.config().get("student", {})
    return "builtin" if student.get("source", "builtin") == "builtin" else public_name(student["path"])


def with_steps(found: Found, episodes: pl.DataFrame) -> Iterator[tuple[Row, list[Row]]]:
    """Each of ``episodes`` with its decisions in order; those of all of them are in memory at a time."""
    steps: dict[str, list[Row]] = defaultdict(list)
    wanted = episodes["episode_id"].implode()
    for frame in found.batches("steps"):
        for row in frame.filter(pl.col("episode_id").is_in(wanted)).iter_rows(named=True):
            steps[row["episode_id"]].append(row)
    for row in episodes.iter_rows(named=True):
        yield row, sorted(steps.get(row["episode_id"], ()), key=lambda step: int(step["step"]))


def ended(row: Row) -> str:
    """How an episode ended: ``won``, ``lost``, ``out of steps`` or ``fault``."""
    if row["success"] is None:
        return "fault"
    return "won" if row["success"] else "lost" if row["lost"] else "out of steps"
