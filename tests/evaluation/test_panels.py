"""Panels: the same starts and random numbers for every model, its own adapter, and no game of training."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from rollouts.tiny import GAMES, TablePolicy, TinyWorld, make_task

from teachable import tables
from teachable.evaluation.errors import EvaluationError
from teachable.evaluation.panels import Repeats, panel_specs, panel_starts, play_panels
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import summarise
from teachable.rollouts import PlaySettings, Start

TEST = [make_task(seed, split="test") for seed in range(100, 104)]
TASKS = {make_task(seed).task_id: make_task(seed) for seed in range(12)}


def labeled() -> pl.DataFrame:
    rows = [
        {
            **dict.fromkeys(tables.LABELED),
            "snapshot_id": f"s{seed}",
            "task_id": f"maze-{seed}",
            "family": "maze",
            "prefix": [],
            "digest": f"maze-{seed}:0",
            "quadrant": f"Q{seed % 4 + 1}",
        }
        for seed in range(8)
    ]
    return pl.DataFrame(rows, schema=dict(tables.LABELED))


def panel(name: str, seeds: range, side: str = "held_out", *, snapshots: bool = True) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "panel": name,
            "side": side,
            "snapshot_id": f"s{seed}" if snapshots else None,
            "task_id": f"maze-{seed}",
            "quadrant": f"Q{seed % 4 + 1}" if snapshots else None,
            "order": seed,
        }
        for seed in seeds
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))


def starts() -> Any:
    panels = pl.concat([panel("failure", range(6)), panel("train", range(6, 8), "train")])
    return panel_starts(labeled(), panels, panel("retention", range(8, 10), snapshots=False), TASKS, TEST)


def play(model: str, adapter: str | None, train_seed: int = 1) -> pl.DataFrame:
    return play_panels(
        TablePolicy(),
        TinyWorld(),
        starts(),
        Repeats(test=3, failure=2, retention=2),
        PlaySettings(max_steps=8),
        games=GAMES,
        test_games=GAMES,
        run_seed=5,
        model=model,
        adapter=adapter,
        train_seed=train_seed,
    ).with_columns(train_seed=pl.lit(train_seed, pl.Int64))


def test_every_panel_is_played_and_the_first_of_a_task_is_greedy() -> None:
    episodes = play("base", None)
    own = episodes.filter(pl.col("model") == "base")
    assert dict(own.group_by("panel").len().iter_rows()) == {"test": 12, "failure": 12, "retention": 4}
    assert own.filter(pl.col("greedy")).select("panel", "repeat").unique().sort("panel").rows() == [
        ("retention", 0),
        ("test", 0),
    ]
    expert = episodes.filter(pl.col("model") == "expert")
    assert expert.height == 4 + 6 + 2
    assert set(expert["behaviour"]) == {"expert"}
    tables.conform(episodes, tables.EPISODES)


def test_models_share_seeds_and_are_summarised_in_pairs() -> None:
    base, tuned = play("base", None), play("recovery", "recovery-adapter")
    assert set(tuned["model"]) == {"recovery"}
    own = base.filter(pl.col("model") == "base")
    assert own["seed"].to_list() == tuned["seed"].to_list()
    assert own["actions"].to_list() != tuned["actions"].to_list(), "the adapter plays, not the base"
    again = play("recovery2", "recovery-adapter")
    assert again["actions"].to_list() == tuned["actions"].to_list(), "the name of a model changes no episode"
    got = summarise(pl.concat([base, tuned]), labeled(), Resampling(repetitions=200), seed=1)
    assert "expert" not in set(got.metrics["model"])
    assert set(got.contrasts["contrast"]) == {"recovery-vs-base"}
    assert got.metrics.filter(pl.col("metric") == "efficiency")["point"].is_between(0, 1).all()


def test_every_training_plays_episodes_of_its_own_and_the_base_plays_them_all() -> None:
    base = [play("base", None, training).filter(pl.col("model") == "base") for training in (1, 2)]
    tuned = [play("recovery", "recovery-adapter", training) for training in (1, 2)]
    assert not set(base[0]["seed"]) & set(base[1]["seed"])
    assert [one["seed"].to_list() for one in base] == [one["seed"].to_list() for one in tuned]
    got = summarise(pl.concat([*base, *tuned]), labeled(), Resampling(repetitions=200), seed=1)
    own = got.metrics.filter(panel="failure", group="all", metric="success")
    assert dict(own.select("model", "n").iter_rows()) == {"base": 24, "recovery": 24}
    mixed = pl.concat([base[0], tuned[1].with_columns(train_seed=pl.lit(1, pl.Int64))])
    with pytest.raises(EvaluationError, match="different seeds"):
        summarise(mixed, labeled(), Resampling(repetitions=200), seed=1)


def test_a_model_without_its_adapter_is_refused() -> None:
    with pytest.raises(EvaluationError, match="Q1_demo"):
        panel_specs("test", [Start(TEST[0])], 1, model="Q1_demo", adapter=None)
    with pytest.raises(EvaluationError, match="base"):
        panel_specs("test", [Start(TEST[0])], 1, model="base", adapter="Q1_demo")


def test_a_game_that_trains_is_never_played() -> None:
    panels = pl.concat([panel("failure", range(6)), panel("train", range(6, 10), "train")])
    with pytest.raises(EvaluationError, match="served training"):
        panel_starts(labeled(), panels, panel("retention", range(8, 10), snapshots=False), TASKS, TEST)
