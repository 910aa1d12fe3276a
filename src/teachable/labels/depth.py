"""Recovery depth: how far back along a failed trajectory the last state with likely success lies."""

from __future__ import annotations

import polars as pl

LIKELY = 0.5


def recovery_depth(points: pl.DataFrame) -> pl.DataFrame:
    """``d_expert, d_force`` and their bins for every point of every trajectory.

    ``points`` has ``snapshot_id, episode_id, step, p_expert, p_force``: all snapshots of a trajectory, failure and
    interval ones alike. With t the step of a point, ``d`` is the smallest ``t - s`` over points of the same trajectory
    with ``s <= t`` and ``p >= 0.5``; null when there is none. It counts commands, not grid points, and it is as fine as
    the snapshots of the trajectory are dense. Bins: 0, 1, 2, 3+; null for null.
    """
    ordered = points.sort("episode_id", "step", "snapshot_id")
    for name in ("expert", "force"):
        last = pl.when(pl.col(f"p_{name}") >= LIKELY).then(pl.col("step")).forward_fill().over("episode_id")
        ordered = ordered.with_columns((pl.col("step") - last).alias(f"d_{name}"))
        ordered = ordered.with_columns(
            pl.when(pl.col(f"d_{name}") >= 3)
            .then(pl.lit("3+"))
            .otherwise(pl.col(f"d_{name}").cast(pl.String))
            .alias(f"d_{name}_bin")
        )
    return ordered.select("snapshot_id", "d_expert", "d_force", "d_expert_bin", "d_force_bin")
