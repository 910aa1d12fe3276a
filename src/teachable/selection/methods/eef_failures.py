"""Exploring expert failures (Lan et al. 2025, arXiv:2504.13145)."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.predictor.sets import Floats
from teachable.selection.pool import Choice, Pool, floats

ABOUT = {"source": "expert"}


def choose(pool: Pool) -> Choice:
    score, eligible = rank(pool.candidates, pool.labeled)
    return pool.best(score, eligible, "no other expert action was followed by a success of the student")


def rank(pool: pl.DataFrame, labeled: pl.DataFrame) -> tuple[Floats, NDArray[np.bool_]]:
    """The score of *exploring expert failures* (Lan et al. 2025, arXiv:2504.13145) for expert snapshots.

    The method takes the failed episodes of an expert, lets the student play on from states along them, and
    keeps the expert's actions that lead to states from where the student succeeds; actions whose simulation
    shows no success are masked out as potentially harmful. Here the simulations are the measured ones:
    ``p_policy`` at a snapshot (the student plays on from there) and ``p_force`` (the student plays on after
    the expert's action). Two pieces of evidence that the expert's action at s was beneficial:

    * the step itself: ``p_force(s) - p_policy(s)``;
    * the segment it opens: ``p_policy(s') - p_policy(s)`` for the next snapshot s' of the same expert
      episode, spread over the segment's steps.

    The score ``[N]`` is the larger one. A snapshot is eligible ``[N]`` when it is positive and the student did
    succeed in simulation after it (``p_force`` or ``p_policy(s')`` above 0).
    """
    along = (
        labeled.filter(pl.col("source") == "expert")
        .select("episode_id", "step", "p_policy")
        .unique(["episode_id", "step"], keep="first", maintain_order=True)
        .sort("episode_id", "step")
        .with_columns(
            pl.col("p_policy").shift(-1).over("episode_id").alias("_next"),
            (pl.col("step").shift(-1).over("episode_id") - pl.col("step")).alias("_length"),
        )
        .select("episode_id", "step", "_next", "_length")
    )
    rows = pool.join(along, on=["episode_id", "step"], how="left", maintain_order="left")
    policy, force = floats(rows["p_policy"]), floats(rows["p_force"])
    after = floats(rows["_next"])
    length = np.maximum(1.0, np.nan_to_num(floats(rows["_length"]), nan=1.0))
    step = np.nan_to_num(force - policy, nan=-np.inf)
    segment = np.nan_to_num((after - policy) / length, nan=-np.inf)
    succeeded = (np.nan_to_num(force) > 0) | (np.nan_to_num(after) > 0)
    score = np.maximum(step, segment)
    return score, (score > 0) & succeeded
