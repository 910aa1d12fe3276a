"""The five conditions of the patch test behind one shard of the snapshots; the expert does not play."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.shard_values import value_shard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "estimate the patch test alone, without leverage",
    "inputs": "snapshots advice tasks games* student",
    "outputs": {
        "patch_estimates": ("phase1/patch_estimates/{shard}.parquet", "ESTIMATES"),
        "patch_episodes": ("phase1/patch_episodes/{shard}.parquet", "EPISODES", "every episode played"),
        "patch_nodes": ("phase1/patch_nodes/{shard}.parquet", "TREE_NODES"),
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
    values = value_shard(
        student,
        snapshots,
        advice,
        tasks,
        games,
        world=world,
        estimation=estimation,
        seed=seed,
        shard=shard,
        shards=shards,
        leverage=False,
    )
    return {
        "patch_estimates": values.estimates,
        "patch_episodes": values.episodes,
        "patch_nodes": values.nodes,
    }
