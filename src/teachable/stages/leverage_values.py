"""p_policy, p_force and p_expert behind one shard of the snapshots, the expert's failures among them, and no patch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter, shard_of, tell_faults
from teachable.pipeline.tasks import by_id
from teachable.pipeline.valuing import value_snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "estimate leverage alone, without advice or patches",
    "inputs": "snapshots tasks games* student",
    "outputs": {
        "leverage_estimates": ("phase1/leverage_estimates/{shard}.parquet", "ESTIMATES"),
        "leverage_episodes": ("phase1/leverage_episodes/{shard}.parquet", "EPISODES", "every episode played"),
        "leverage_nodes": ("phase1/leverage_nodes/{shard}.parquet", "TREE_NODES"),
    },
    "params": "seed world estimation",
    "own": {"shard": "int", "shards": "int"},
    "world": "play",
    "student": True,
}


def run(
    snapshots: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    student: Path,
    seed: int,
    world: c.World,
    estimation: c.Estimation,
    shard: int,
    shards: int,
) -> dict[str, Any]:
    loaded = load_student(student)
    values = value_snapshots(
        loaded,
        open_world(world),
        games_root(games),
        by_id(tasks),
        shard_of(snapshots, shard, shards),
        None,
        estimation,
        layout=loaded.layout,
        max_steps=world.max_steps,
        run_seed=seed,
        progress=Reporter("snapshots valued"),
    )
    tell_faults(values.faults)
    return {
        "leverage_estimates": values.estimates,
        "leverage_episodes": values.episodes,
        "leverage_nodes": values.nodes,
    }
