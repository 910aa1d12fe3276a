"""The viewer: every labelled snapshot as a page to browse, with its episode, values, patches, advice and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable.student.prompt import verbosity_of
from teachable.viewer import Sources, files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

ABOUT = {
    "about": "make the page on which snapshots are browsed",
    "inputs": "labeled expert? advice* action_values* steps* episodes* label_episodes* microtraining* examples* "
    "played=model_episodes* probes* thresholds?",
    "outputs": {"viewer": ("viewer", None, "index.html, which opens without a server, and its data")},
    "own": {"preset": "str", "layout": "str"},
}


def run(
    labeled: pl.DataFrame,
    expert: pl.DataFrame | None,
    advice: pl.DataFrame,
    action_values: pl.DataFrame,
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    label_episodes: pl.DataFrame,
    microtraining: pl.DataFrame,
    examples: pl.DataFrame,
    played: pl.DataFrame,
    probes: pl.DataFrame,
    thresholds: Mapping[str, Any] | None,
    out: Mapping[str, Path],
    preset: str,
    layout: str,
) -> None:
    """``layout`` is the student's prompt layout, which says how its patches are worded."""
    sources = Sources(
        labeled if expert is None else pl.concat([labeled, expert]),
        advice,
        action_values,
        steps,
        episodes,
        label_episodes,
        microtraining,
        examples,
        played,
        probes,
    )
    told = {"measure": thresholds["measure"]} if thresholds else {}
    for name, text in files(sources, preset=preset, verbosity=verbosity_of(layout), texts=told):
        path = out["viewer"] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
