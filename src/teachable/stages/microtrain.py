"""Train on one example at a time, and see what it changes: from the snapshot, and on similar games."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.microtuning import micro_train
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import by_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "train on one example, evaluate before and after",
    "inputs": "labeled advice panels tasks games* student",
    "outputs": {
        "microtraining": (
            "phase1b/microtraining/{shard}.parquet",
            "MICROTRAINING",
            "one row a snapshot and format",
        ),
        "micro_episodes": ("phase1b/micro_episodes/{shard}.parquet", "EPISODES"),
    },
    "params": "seed world estimation lora microtraining",
    "own": {"shard": "int", "shards": "int"},
    "world": "play",
    "student": True,
}


def run(
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    student: Path,
    seed: int,
    world: c.World,
    estimation: c.Estimation,
    lora: c.Lora,
    microtraining: c.Microtraining,
    shard: int,
    shards: int,
) -> dict[str, Any]:
    result, episodes = micro_train(
        load_student(student),
        open_world(world),
        games_root(games),
        by_id(tasks),
        labeled,
        advice,
        panels,
        microtraining,
        estimation,
        lora,
        max_steps=world.max_steps,
        run_seed=seed,
        shard=shard,
        shards=shards,
        progress=Reporter("snapshots trained on"),
    )
    for name, reason in result.skipped.items():
        print(f"snapshot {name}: left out: {reason}", flush=True)
    return {"microtraining": result.rows, "micro_episodes": episodes}
