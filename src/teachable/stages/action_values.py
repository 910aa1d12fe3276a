"""Success probabilities behind one shard of the snapshots, by rollout trees or by Monte Carlo."""

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
    "about": "estimate success after every command and under every patch",
    "inputs": "snapshots advice tasks games* student checkpoint?",
    "outputs": {
        "estimates": ("phase1/estimates/{shard}.parquet", "ESTIMATES"),
        "action_values": ("phase1/action_values/{shard}.parquet", "ACTION_VALUES"),
        "label_episodes": ("phase1/label_episodes/{shard}.parquet", "EPISODES", "every episode behind a label"),
        "tree_nodes": ("phase1/tree_nodes/{shard}.parquet", "TREE_NODES"),
    },
    "params": "seed world estimation expert",
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
        advice,
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
        "estimates": values.estimates,
        "action_values": values.action_values,
        "label_episodes": values.episodes,
        "tree_nodes": values.nodes,
    }
