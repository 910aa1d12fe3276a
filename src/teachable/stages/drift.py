"""The patch test and the retention panel again, at the checkpoints of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.drifting import TooShort, checkpoints_of, drift
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import ABSENT, load_student
from teachable.pipeline.tasks import by_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "repeat the patch test and the retention panel at checkpoints of a run",
    "inputs": "student adapter labeled advice panels retention tasks games*",
    "outputs": {
        "drift": ("phase3/drift/{run}.parquet", "DRIFT", "one row a run, checkpoint and snapshot"),
        "checkpoint_episodes": ("phase3/checkpoints/{run}.parquet", "EPISODES"),
        "patch_test": ("phase3/drift_patch_test/{run}.parquet", "EPISODES"),
    },
    "params": "seed world estimation evaluation.drift_episodes evaluation.retention_repeats",
    "own": {"model": "str"},
    "world": "play",
    "student": True,
}


def run(
    student: Path,
    adapter: Path,
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    retention: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    seed: int,
    world: c.World,
    estimation: c.Estimation,
    drift_episodes: int,
    retention_repeats: int,
    model: str,
) -> dict[str, Any]:
    """No row of a run that was not trained, or for fewer steps than it has checkpoints; the log says so."""
    none = tables.empty(tables.EPISODES)
    nothing = {"drift": tables.empty(tables.DRIFT), "checkpoint_episodes": none, "patch_test": none}
    if (adapter / ABSENT).exists():
        print(f"{model}: not trained, so it cannot drift", flush=True)
        return nothing
    try:
        checkpoints = checkpoints_of(model, adapter)
    except TooShort as error:
        print(f"{model}: no drift: {error}", flush=True)
        return nothing
    found = drift(
        load_student(student, checkpoints),
        open_world(world),
        games_root(games),
        by_id(tasks),
        labeled,
        advice,
        panels,
        retention,
        estimation,
        model=model,
        adapters=list(checkpoints),
        episodes=drift_episodes,
        retention_repeats=retention_repeats,
        max_steps=world.max_steps,
        run_seed=seed,
    )
    return {"drift": found.rows, "checkpoint_episodes": found.retention, "patch_test": found.patch_test}
