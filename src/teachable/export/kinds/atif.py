"""The student's episodes as trajectories in ATIF, the Agent Trajectory Interchange Format of Harbor.

Version 1.4 as its specification has it (RFC 0001, docs/rfcs/0001-trajectory-format.md of laude-institute/harbor, now
harbor-framework/harbor); later versions list it among those that they read. One document an episode: the task as the
user's step, then a step for every decision, the command as a call of the tool ``act`` and what the game answered as its
observation. What the game said after the last command is not kept by a run, so the last step has no observation; how it
ended stands in ``extra``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from teachable.export.found import Found, chosen
from teachable.export.played import Row, ended, student_episodes, student_name, with_steps
from teachable.version import __version__

ABOUT = {
    "about": "the student's episodes as ATIF trajectories, a JSON file each",
    "options": ("family",),
}
VERSION = "ATIF-v1.4"
TOOL = "act"
_KEPT = ("task_id", "family", "split", "repeat", "seed", "success", "fault")


def write(found: Found, out: Path, family: Sequence[str] = ()) -> str:
    """``family``: those families only. Files are ``<family>/<episode>.json``."""
    episodes = student_episodes(found)
    families = chosen(family, episodes["family"].unique().sort(), "family")
    agent = _agent(found)
    count = 0
    for name in families:
        folder = out / _safe(name)
        folder.mkdir()
        for row, steps in with_steps(found, episodes.filter(pl.col("family") == name).sort("task_id", "repeat")):
            text = json.dumps(_trajectory(row, steps, agent), ensure_ascii=False, allow_nan=False, indent=1)
            (folder / f"{_safe(row['episode_id'])}.json").write_text(text + "\n", encoding="utf-8")
            count += 1
    return f"{count} trajectories ({VERSION}) of {len(families)} families"


def _agent(found: Found) -> dict[str, Any]:
    config = found.config()
    extra = {name: config[name] for name in ("preset", "seed") if name in config}
    extra |= {"world": config.get("world", {}).get("name"), "layout": found.layout()}
    return {"name": "teachable-student", "version": __version__, "model_name": student_name(found), "extra": extra}


def _trajectory(row: Row, steps: Sequence[Row], agent: Mapping[str, Any]) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    if steps:
        first = steps[0]
        said = "\n\n".join(text for text in (first["goal"], first["observation"]) if text)
        told.append({"step_id": 1, "source": "user", "message": said})
    for number, step in enumerate(steps):
        after = steps[number + 1]["observation"] if number + 1 < len(steps) else None
        told.append({"step_id": number + 2, **_decision(step, after)})
    return {
        "schema_version": VERSION,
        "session_id": row["episode_id"],
        "agent": agent,
        "steps": told,
        "notes": "The agent chooses among the admissible commands of a text game by the likelihood that it gives to "
        "each; it writes nothing else, so messages are empty.",
        "final_metrics": {"total_steps": len(told)},
        "extra": {name: row[name] for name in _KEPT if row[name] is not None} | {"ended": ended(row)},
    }


def _decision(step: Row, after: str | None) -> dict[str, Any]:
    """The agent's step: its command, what came of it, and the distribution that it chose from."""
    call = f"{step['episode_id']}/{step['step']}"
    found: dict[str, Any] = {
        "source": "agent",
        "message": "",
        "tool_calls": [{"tool_call_id": call, "function_name": TOOL, "arguments": {"command": step["action"]}}],
    }
    if after is not None:
        found["observation"] = {"results": [{"source_call_id": call, "content": after}]}
    chances = {
        command: math.exp(logp) for command, logp in zip(step["commands"], step["logp"], strict=True)
    }  # of -inf: 0
    return found | {
        "extra": {
            "probabilities": chances,
            "scene": step["scene"],
            "memo": step["memo"],
            "unwinnable": step["unwinnable"],
        }
    }


def _safe(name: str) -> str:
    """As a file may be called anywhere; every other character is written as its number, so that names stay apart."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}", name)
