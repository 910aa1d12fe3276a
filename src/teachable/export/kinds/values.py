"""What each command is worth at each labelled snapshot: a yardstick for whatever scores single steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from teachable import tables
from teachable.export.card import card, columns_of, grid, origin
from teachable.export.found import ExportError, Found
from teachable.tables.exported import STEP_VALUES

ABOUT = {
    "about": "the value of every command at every labelled snapshot, with standard errors",
    "options": (),
}
FILE = "values.parquet"
EXACT = 0.05
"""Standard error up to which the card calls a value near-exact."""
_SNAPSHOTS = 1_000  # joined with their commands at a time


def write(found: Found, out: Path) -> str:
    """One row a snapshot of the student and admissible command, by snapshot and command."""
    labeled, panels = found.read("labeled"), found.read("panels")
    values = found.read("action_values")
    ours = values.join(labeled.select("snapshot_id"), on="snapshot_id", how="semi")
    if not ours.height:
        raise ExportError(
            f"{found.need('action_values')} has no value of a labelled snapshot: only `estimation.estimator: tree` "
            "measures single commands."
        )
    with tables.made_by("export values"):
        tables.write_batches(_rows(labeled, panels, ours), out / FILE, STEP_VALUES)
    (out / "README.md").write_text(_card(found, out / FILE, ours), encoding="utf-8")
    return (
        f"{ours.height} values at {ours['snapshot_id'].n_unique()} snapshots of {labeled['task_id'].n_unique()} games"
    )


def _rows(labeled: pl.DataFrame, panels: pl.DataFrame, values: pl.DataFrame) -> Iterator[pl.DataFrame]:
    sides = panels.select("task_id", "side").unique(maintain_order=True)
    ordered = labeled.sort("snapshot_id")
    for start in range(0, ordered.height, _SNAPSHOTS):
        some = ordered.slice(start, _SNAPSHOTS).drop("commands").join(sides, on="task_id", how="left")
        yield (
            some.join(values.rename({"pi_base": "policy"}), on="snapshot_id", how="inner")
            .sort("snapshot_id", "command")
            .with_columns(
                (pl.col("command") == pl.col("expert_action")).fill_null(value=False).alias("is_expert"),
                (pl.col("command") == pl.col("student_action")).fill_null(value=False).alias("is_student"),
            )
            .select(list(STEP_VALUES))
        )


def _card(found: Found, path: Path, values: pl.DataFrame) -> str:
    exact = values.filter(pl.col("se") <= EXACT)
    snapshots = values["snapshot_id"].n_unique()
    ranked = exact.group_by("snapshot_id").len().filter(pl.col("len") > 1).height
    mass = (exact["pi_base"].sum() or 0.0) / snapshots
    return card(
        {
            "pretty_name": "Step values of a text-game agent",
            "task_categories": ["text-ranking"],
            "tags": ["process-reward-models", "agents", "text-games"],
            "configs": [{"config_name": "default", "data_files": FILE}],
        },
        f"# Step values of a text-game agent\n\n{STEP_VALUES.about} A yardstick for process-reward models, Monte Carlo "
        "labels and anything else that scores single steps of an agent.",
        "World and student are deterministic given what happened, so a tree of what the student may do, weighted by "
        "how likely it does it, gives `value` with certified bounds `lower` and `upper`; what the tree leaves open is "
        "sampled, and `se` is the standard error.",
        f"**Not every row is near-exact.** The tree goes where the student goes. A command that the student all but "
        "never chooses may not have been tried: its bounds are 0 and 1, its `se` half of that, its `value` the mean of "
        "its siblings' episodes. Filter by `se`, and say at what you cut. At "
        f"{EXACT} this file keeps {exact.height} of {values.height} rows, {mass:.0%} of what the student would do, and "
        f"two commands or more at {ranked} of {snapshots} snapshots.",
        grid(
            ("standard error up to", "rows", "snapshots with two or more"),
            [
                (cut, kept.height, kept.group_by("snapshot_id").len().filter(pl.col("len") > 1).height)
                for cut in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
                for kept in [values.filter(pl.col("se") <= cut)]
            ],
        ),
        "Snapshots of a game depend on each other: resample games (`task_id`), not rows. `benchmarks/yardstick.py` of "
        "the program does, and scores a file with the columns `snapshot_id`, `command`, `score`:\n\n"
        "```\npython benchmarks/yardstick.py FOLDER --scores SCORES.parquet\n```",
        columns_of(path),
        origin(found),
    )
