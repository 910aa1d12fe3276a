"""Success probabilities behind one shard of the snapshots, by rollout trees or by Monte Carlo."""

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
    "about": "estimate success after every command and under every patch",
    "inputs": "snapshots advice tasks games* student",
    "outputs": {
        "estimates": ("phase1/estimates/{shard}.parquet", "ESTIMATES"),
        "action_values": ("phase1/action_values/{shard}.parquet", "ACTION_VALUES"),
        "label_episodes": ("phase1/label_episodes/{shard}.parquet", "EPISODES", "every episode behind a label"),
        "tree_nodes": ("phase1/tree_nodes/{shard}.parquet", "TREE_NODES"),
    },
    "params": "seed world estimation",
    "own": {"shard": "int", "shards": "int"},
    "world": "play",
    "student": True,
}


def run(
    snapshots: pl.DataFrame,
    advice: pl.DataFrame,
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
        advice,
        estimation,
        layout=loaded.layout,
        max_steps=world.max_steps,
        run_seed=seed,
        progress=Reporter("snapshots valued"),
    )
    tell_faults(values.faults)
    return {
        "estimates": values.estimates,
        "action_values": values.action_values,
        "label_episodes": values.episodes,
        "tree_nodes": values.nodes,
    }
