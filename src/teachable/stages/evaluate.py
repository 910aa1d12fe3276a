"""Play one model on test tasks, failure snapshots and retention tasks, and probe its decisions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.evaluation.decisions import decision_probes
from teachable.evaluation.panels import Repeats, panel_starts, play_panels
from teachable.pipeline.games import games_root, open_world, shared_environments
from teachable.pipeline.models import ABSENT, load_student
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import by_id, tasks_in
from teachable.rollouts.episodes import PlaySettings
from teachable.terms import BASE
from teachable.worlds import get_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any, Literal

    from teachable.config import model as c

ABOUT = {
    "about": "play one model on the panels",
    "inputs": "student adapter? labeled panels retention tasks games* test_tasks=tasks test_games=games*",
    "outputs": {
        "model_episodes": ("{phase}/models/{model}/episodes.parquet", "EPISODES"),
        "probes": ("{phase}/models/{model}/probes.parquet", "PROBES"),
    },
    "params": "seed world estimation.horizon evaluation.test_repeats evaluation.failure_repeats "
    "evaluation.retention_repeats",
    "own": {"model": "str", "train_seed": "int"},
    "world": "play words",
    "student": True,
}


def run(
    student: Path,
    adapter: Path | None,
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    retention: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    test_tasks: pl.DataFrame,
    test_games: Sequence[Path],
    seed: int,
    world: c.World,
    horizon: Literal["fresh", "remaining"],
    test_repeats: int,
    failure_repeats: int,
    retention_repeats: int,
    model: str,
    train_seed: int,
) -> dict[str, Any]:
    """The base student has no adapter; it plays what any model of this training seed plays."""
    if adapter is not None and (adapter / ABSENT).exists():
        print(f"{model}: not trained, so not played", flush=True)
        return {"model_episodes": tables.empty(tables.EPISODES), "probes": tables.empty(tables.PROBES)}
    name = None if model == BASE else model
    loaded = load_student(student, {} if name is None or adapter is None else {name: adapter})
    episodes = play_panels(
        loaded,
        open_world(world),
        panel_starts(labeled, panels, retention, by_id(tasks), tasks_in(test_tasks)),
        Repeats(test_repeats, failure_repeats, retention_repeats),
        PlaySettings(max_steps=world.max_steps, horizon=horizon),
        games=games_root(games),
        test_games=games_root(test_games),
        run_seed=seed,
        model=model,
        adapter=name,
        train_seed=train_seed,
        environments=partial(shared_environments, world),
        progress=Reporter("episodes"),
    )
    failure = panels.filter(pl.col("panel") == "failure")["snapshot_id"]
    rows = labeled.filter(pl.col("snapshot_id").is_in(failure.implode()))
    probes = decision_probes(loaded, rows, get_words(world.name), model=model, adapter=name)
    trained = pl.lit(train_seed, pl.Int64).alias("train_seed")
    return {"model_episodes": episodes.with_columns(trained), "probes": probes.with_columns(trained)}
