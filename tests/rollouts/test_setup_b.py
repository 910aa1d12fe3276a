"""Setup B apart: whatever its budget, the files of the student's set are the same to the byte.

The student here answers alike in any batch. A real model's answers differ in the last digits with what else is in a
batch, so the workflow is held to that much (tests/workflow/test_smoke.py).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from configured import section

from teachable import tables
from teachable.labels.label import label, sets
from teachable.labels.metrics import label_metrics
from teachable.labels.panels import make_panels
from teachable.labels.shares import quadrant_shares
from teachable.pipeline.advising import advise
from teachable.pipeline.collecting import collect
from teachable.pipeline.progress import shard_of
from teachable.pipeline.valuing import value_snapshots
from teachable.predictor.sets import feature_set, to_table
from teachable.rollouts import choose_snapshots, retention_panel
from teachable.worlds.textworld.words import WORDS
from teachable.worlds.words import explain

from .tiny import GAMES, TablePolicy, TinyWorld, make_task

TASKS = {f"maze-{seed}": make_task(seed) for seed in range(40)}
WITHOUT, SOME, MORE = (0, 0, 1), (1, 6, 2), (3, 40, 3)  # episodes a task, snapshots at most, shards


def files(out: Path, budget: tuple[int, int, int], *, setup_b: str = "apart") -> tuple[dict[str, bytes], pl.DataFrame]:
    """The files of the student's set, and the labels of setup B beside it."""
    episodes, most, shards = budget
    rollouts = section("rollouts", episodes_per_task=2, expert_episodes_per_task=episodes, expert_noise=0.6)
    mining = section("snapshots", max_snapshots=60, max_expert_snapshots=most, interval_episodes=3)
    estimation = section("estimation", tree_prompts=12, tree_episodes=8)
    labels = section("labels", setup_b=setup_b)
    world, policy = TinyWorld(), TablePolicy()
    played = collect(policy, world, GAMES, list(TASKS.values()), rollouts, max_steps=6, run_seed=1)
    snapshots = choose_snapshots(played.steps, played.episodes, mining, run_seed=1)
    advice = advise(world, GAMES, TASKS, snapshots, section("teacher"), explain, layout="compact")
    values = [
        value_snapshots(
            policy,
            world,
            GAMES,
            TASKS,
            shard_of(snapshots, shard, shards),
            advice,
            estimation,
            layout="compact",
            max_steps=6,
            run_seed=1,
        ).estimates
        for shard in range(shards)
    ]
    labeled, thresholds = label(snapshots, advice, pl.concat(values), labels)
    own, beside = sets(labeled, labels)
    retention = retention_panel(played.steps, played.episodes, 8)
    panels = make_panels(own, section("panels", "smoke"), run_seed=1, held_out_tasks=set(retention["task_id"]))
    features = to_table(feature_set(own.drop_nulls("quadrant"), WORDS))
    metrics = label_metrics(own, seed=1, repetitions=30)
    shares = quadrant_shares(own, [], str, seed=1, repetitions=30, together=setup_b == "together")
    out.mkdir()
    tables.write_json(thresholds, out / "thresholds.json")
    for name, frame, schema in (
        ("labeled_snapshots", own, tables.LABELED),
        ("retention_panel", retention, tables.PANELS),
        ("panels", panels, tables.PANELS),
        ("features", features, tables.FEATURES),
        ("label_metrics", metrics, tables.METRICS),
        ("quadrant_shares", shares, tables.METRICS),
    ):
        tables.write(frame, out / f"{name}.parquet", schema)
    return {path.name: path.read_bytes() for path in out.iterdir()}, beside


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    made, beside = files(tmp_path_factory.mktemp("b") / "without", WITHOUT)
    assert beside.is_empty()
    return made


@pytest.mark.parametrize("budget", [SOME, MORE])
def test_no_byte_of_the_students_set_depends_on_the_budget_of_setup_b(
    without: dict[str, bytes], tmp_path: Path, budget: tuple[int, int, int]
) -> None:
    made, beside = files(tmp_path / "made", budget)
    assert beside.drop_nulls("quadrant").height > 2
    assert set(made) == set(without)
    for name, content in without.items():
        assert made[name] == content, name


def test_where_it_is_asked_for_it_enters_all_of_them(without: dict[str, bytes], tmp_path: Path) -> None:
    made, beside = files(tmp_path / "made", MORE, setup_b="together")
    assert beside.is_empty()
    same = {name for name, content in without.items() if made[name] == content}
    assert same == {"retention_panel.parquet"}, "the tasks that the student wins"
    labeled = pl.read_parquet(tmp_path / "made/labeled_snapshots.parquet")
    assert set(labeled["source"]) == {"student", "expert"}
    panels = pl.read_parquet(tmp_path / "made/panels.parquet")
    theirs = set(labeled.filter(source="expert")["snapshot_id"])
    assert theirs & set(panels.filter(panel="train")["snapshot_id"])
    assert not theirs & set(panels.filter(pl.col("panel").is_in(["failure", "validation", "drift"]))["snapshot_id"])
