"""p_policy, p_force and p_expert behind one shard of the snapshots, the expert's failures among them, and no patch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.shard_values import value_shard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c
    from teachable.config.expert import Expert

ABOUT = {
    "about": "estimate leverage alone, without advice or patches",
    "inputs": "snapshots tasks games* student checkpoint?",
    "outputs": {
        "leverage_estimates": ("phase1/leverage_estimates/{shard}.parquet", "ESTIMATES"),
        "leverage_episodes": ("phase1/leverage_episodes/{shard}.parquet", "EPISODES", "every episode played"),
        "leverage_nodes": ("phase1/leverage_nodes/{shard}.parquet", "TREE_NODES"),
    },
    "params": "seed world estimation expert",
    "own": {"shard": "int", "shards": "int"},
    "world": "play",
    "student": True,
}


def run(
    snapshots: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    student: Path,
    checkpoint: Mapping[str, Any] | None,
    seed: int,
    world: c.World,
    estimation: c.Estimation,
    expert: Expert,
    shard: int,
    shards: int,
) -> dict[str, Any]:
    values = value_shard(
        student,
        snapshots,
        None,
        tasks,
        games,
        world=world,
        estimation=estimation,
        seed=seed,
        shard=shard,
        shards=shards,
        expert=expert,
        checkpoint=checkpoint,
    )
    return {
        "leverage_estimates": values.estimates,
        "leverage_episodes": values.episodes,
        "leverage_nodes": values.nodes,
    }
