"""What a run fails at: the same games and random numbers, the run's own decisions, the base student's hidden states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from configured import section

from teachable import tables
from teachable.pipeline.collecting import collect
from teachable.pipeline.failing import failure_features
from teachable.rollouts.snapshots import choose_snapshots
from teachable.worlds.textworld.words import WORDS

from .tiny import GAMES, TablePolicy, TinyWorld, make_task

ROLLOUTS = section("rollouts", episodes_per_task=2, expert_episodes_per_task=1)
SNAPSHOTS = section("snapshots", max_snapshots=50, per_episode=2)
TASKS = {f"maze-{seed}": make_task(seed) for seed in range(12)}
HELD_OUT = sorted(TASKS)[:6]


class Embedding(TablePolicy):
    """Knows who asked for hidden states."""

    def embed(self, prompts: Sequence[str], *, adapter: str | None = None) -> np.ndarray:
        assert adapter is None, "hidden states are the base student's"
        return np.array([[len(prompt), prompt.count("o"), 1.0] for prompt in prompts])


def panels(held_out: Sequence[str] = HELD_OUT) -> pl.DataFrame:
    rows = [
        {**dict.fromkeys(tables.PANELS), "panel": "failure", "side": side, "task_id": task, "order": 0}
        for task in TASKS
        for side in ["held_out" if task in held_out else "train"]
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))


def made(model: str = "Q1_demo", **changes: object) -> pl.DataFrame:
    student, world = Embedding(), TinyWorld()
    base = collect(student, world, GAMES, list(TASKS.values()), ROLLOUTS, max_steps=8, run_seed=1)
    rows = failure_features(
        student,  # type: ignore[arg-type]
        world,
        WORDS,
        GAMES,
        TASKS,
        changes.get("panels", panels()),  # type: ignore[arg-type]
        base.steps,
        base.episodes,
        ROLLOUTS,
        changes.get("snapshots", SNAPSHOTS),
        model=model,
        max_steps=8,
        topk=3,
        run_seed=1,
    )
    return tables.conform(rows, tables.FAILURE_FEATURES, "features")


def test_the_base_student_s_are_those_mined_from_its_own_rollouts() -> None:
    student, world = Embedding(), TinyWorld()
    base = collect(student, world, GAMES, list(TASKS.values()), ROLLOUTS, max_steps=8, run_seed=1)
    own = base.episodes.filter(pl.col("task_id").is_in(HELD_OUT) & (pl.col("behaviour") == "student"))
    steps = base.steps.join(own.select("episode_id"), on="episode_id", how="semi")
    rule = SNAPSHOTS.model_copy(update={"interval_episodes": 0, "max_expert_snapshots": 0})
    expected = choose_snapshots(steps, own, rule, run_seed=1)["snapshot_id"].to_list()
    found = made().filter(model="base", part="tier1")
    assert sorted(found["snapshot_id"]) == sorted(expected)
    assert found.height > 4


def test_the_run_plays_itself_on_the_held_out_games() -> None:
    rows = made()
    assert set(rows["model"]) == {"base", "Q1_demo"}
    assert set(rows["task_id"]) <= set(HELD_OUT)
    assert set(rows["part"]) == {"tier1", "state", "goal", "history"}
    tier1 = rows.filter(part="tier1")
    entropy = tier1["names"][0].to_list().index("uncertainty.entropy")
    one, two = (
        {vector[entropy] for vector in tier1.filter(model=model)["vector"].to_list()} for model in ("base", "Q1_demo")
    )
    assert one
    assert not one & two, "its own distributions"


def test_an_adapter_that_changes_nothing_fails_at_the_same() -> None:
    class Same(Embedding):
        def _logp(self, prompt: str, commands: Sequence[str], adapter: str | None) -> np.ndarray:
            return super()._logp(prompt, commands, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.Embedding", Same)
        rows = made()
    one, two = (rows.filter(model=model).drop("model") for model in ("base", "Q1_demo"))
    assert one.height
    assert one.equals(two), "same games, same random numbers, same rule"


def test_where_nothing_is_held_out_or_values_chose_the_snapshots() -> None:
    assert made(panels=panels([])).is_empty()
    by_fall = SNAPSHOTS.model_copy(update={"mode": "fall"})
    assert made(snapshots=by_fall).equals(made()), "both sides are mined around the deciding decision"
