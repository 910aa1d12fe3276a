"""Play a trained run on the held-out side's games, and make the features of what it and the base student fail at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.pipeline.failing import failure_features
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import ABSENT, load_student
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import by_id
from teachable.worlds import get_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "features of what a run fails at, beside those of the base student",
    "inputs": "student adapter steps episodes panels tasks games*",
    "outputs": {
        "failure_features": (
            "phase3/failure_features/{run}.parquet",
            "FAILURE_FEATURES",
            "model base and the run; decisions of failures on the held-out side's games",
        )
    },
    "params": "seed world rollouts snapshots topk=labels.topk",
    "own": {"model": "str"},
    "world": "play words",
    "student": True,
}


def run(
    student: Path,
    adapter: Path,
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    panels: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    seed: int,
    world: c.World,
    rollouts: c.Rollouts,
    snapshots: c.Snapshots,
    topk: int,
    model: str,
) -> pl.DataFrame:
    if (adapter / ABSENT).exists():
        print(f"{model}: not trained, so it has no failures", flush=True)
        return tables.empty(tables.FAILURE_FEATURES)
    return failure_features(
        load_student(student, {model: adapter}),
        open_world(world),
        get_words(world.name),
        games_root(games),
        by_id(tasks),
        panels,
        steps,
        episodes,
        rollouts,
        snapshots,
        model=model,
        max_steps=world.max_steps,
        topk=topk,
        run_seed=seed,
        progress=Reporter("episodes"),
    )
