"""What a trained run still fails at: its failures on the held-out side's games, mined as the base student's were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.labels.measures import measures
from teachable.pipeline.collecting import collect
from teachable.predictor.features import embedding_texts
from teachable.predictor.sets import feature_set, to_table
from teachable.rollouts.episodes import Progress
from teachable.rollouts.snapshots import choose_snapshots
from teachable.terms import BASE
from teachable.worlds.base import Task, World
from teachable.worlds.words import Words

if TYPE_CHECKING:
    from teachable.config import model as c
    from teachable.student.model import Student


def failure_features(
    student: Student,
    world: World,
    words: Words,
    games: Path,
    tasks: Mapping[str, Task],
    panels: pl.DataFrame,
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    rollouts: c.Rollouts,
    snapshots: c.Snapshots,
    *,
    model: str,
    max_steps: int,
    topk: int,
    run_seed: int,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """``FAILURE_FEATURES``: features of the failures of the base student and of ``model``, an adapter of ``student``.

    ``steps`` and ``episodes`` are the base student's (STEPS, EPISODES). The run plays the games of the held-out side of
    ``panels`` as often, with the same random numbers; from both, decisions are mined around the deciding one by the
    same rule (``snapshots``). The hidden states of both are the base student's, in which the predictor was learned:
    what differs is what is failed at, not who reads it. No row where nothing is held out.
    """
    held_out = panels.filter(pl.col("side") == "held_out")["task_id"].unique().sort()
    if held_out.is_empty():
        return tables.empty(tables.FAILURE_FEATURES)
    mine = rollouts.model_copy(update={"expert_episodes_per_task": 0})
    chosen = [tasks[task_id] for task_id in held_out]
    played = collect(
        student, world, games, chosen, mine, max_steps=max_steps, run_seed=run_seed, model=model, progress=progress
    )
    own = episodes.filter(pl.col("task_id").is_in(held_out.implode()) & (pl.col("behaviour") == "student"))
    rule = snapshots.model_copy(update={"mode": "deciding", "max_expert_snapshots": 0, "interval_episodes": 0})
    parts = [tables.empty(tables.FAILURE_FEATURES)]
    for name, decisions, outcomes in ((BASE, steps, own), (model, played.steps, played.episodes)):
        decided = decisions.join(outcomes.select("episode_id"), on="episode_id", how="semi")
        failures = choose_snapshots(decided, outcomes, rule, run_seed=run_seed)
        print(f"{name}: {failures.height} decisions of failures in {len(held_out)} games", flush=True)
        if failures.is_empty():
            continue
        failures = failures.join(measures(failures, topk), on="snapshot_id")
        embeddings = {part: student.embed(texts) for part, texts in embedding_texts(failures).items()}
        found = to_table(feature_set(failures, words, embeddings)).rename({"item_id": "snapshot_id"}).drop("success")
        parts.append(found.select(pl.lit(name).alias("model"), pl.all()))
    return tables.conform(pl.concat(parts), tables.FAILURE_FEATURES, "failure features")
