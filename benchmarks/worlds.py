"""Labels of worlds side by side: the page docs/worlds-side-by-side.md from what runs of the workflow left.

    python benchmarks/worlds.py textworld=DIR textworld_express=DIR ... > docs/worlds-side-by-side.md

Each DIR is one in which Snakemake has made ``results/config.json`` and ``results/phase1/thresholds.json``.
Means are over labelled snapshots, with the standard error of the mean over games (each game's mean counts once).
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import polars as pl

from teachable import tables
from teachable.terms import QUADRANTS

MEANS = {
    "U": "uncertainty U (nats)",
    "L_local": "leverage L_local (probability)",
    "ELP_net": "patch gain ELP_net (probability)",
    "p_policy": "success of the student from there, its commands counted anew",
}


def measure(directory: Path) -> dict[str, str]:
    """The rows of one world's column, in order: name -> what the page shows."""
    results = directory / "results"
    config = json.loads((results / "config.json").read_text())
    episodes = tables.read(results / "phase0/episodes.parquet", tables.EPISODES)
    labelled = tables.read(results / "phase1/labeled_snapshots.parquet", tables.LABELED)
    thresholds = json.loads((results / "phase1/thresholds.json").read_text())
    student = episodes.filter(episodes["behaviour"] == "student")
    rows = {
        "preset, seed": f"{config['preset']}, {config['seed']}",
        "train games": ", ".join(f"{name} {count}" for name, count in config["tasks"]["train"].items() if count),
        "commands an episode may have": str(config["world"]["max_steps"]),
        "episodes of the student": str(len(student)),
        "won": _share(student["success"]),
        "lost by a wrong command": _share(student["lost"]),
        "out of commands": _share(~student["success"] & ~student["lost"]),
        "faults of the engine": str(student["fault"].count()),
        "failure snapshots": str(thresholds["failure_snapshots"]),
        "labelled": str(thresholds["labelled"]),
        "no expert there": str(thresholds["no_expert"]),
        "invalid advice": str(thresholds["advice_invalid"]),
        "commands offered (mean)": f"{labelled['commands'].list.len().mean():.1f}",
    }
    rows |= {name: _mean(labelled, column) for column, name in MEANS.items()}
    counts, total = thresholds["counts"], max(1, sum(thresholds["counts"].values()))
    rows |= {f"share of {quadrant}": f"{counts[quadrant] / total:.2f}" for quadrant in QUADRANTS}
    return rows


def _share(values: pl.Series) -> str:
    return f"{values.mean():.2f}" if len(values) else "none"


def _mean(labelled: pl.DataFrame, column: str) -> str:
    """Mean over snapshots and its standard error over games; "none" where there is nothing to take it of."""
    known = labelled.drop_nulls(column)
    if known.is_empty():
        return "none"
    games = known.group_by("task_id").agg(pl.col(column).mean())[column]
    error = games.std() / math.sqrt(len(games)) if len(games) > 1 else math.nan
    return f"{known[column].mean():.3f} ± {error:.3f}"


def page(columns: dict[str, dict[str, str]]) -> str:
    """The page, in Markdown."""
    names = list(columns)
    lines = [
        "# Worlds side by side",
        "",
        "The labels of the same workflow in each world, from runs of it; `benchmarks/worlds.py` wrote this page.",
        "After ±: the standard error over games. These runs are small and their students hardly trained: the numbers",
        "show that the same questions can be asked of each world, not how the worlds differ.",
        "",
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    rows: list[str] = list(next(iter(columns.values())))
    lines += [f"| {row} | {' | '.join(columns[name][row] for name in names)} |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    pairs: list[tuple[str, Any]] = [(name, Path(place)) for name, _, place in (a.partition("=") for a in arguments)]
    if not pairs or any(not place.name for _, place in pairs):
        raise SystemExit(__doc__)
    print(page({name: measure(place) for name, place in pairs}), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
