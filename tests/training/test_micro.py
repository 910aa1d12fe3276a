"""Micro-training measures the tuned student, each with its own adapter, on games that are not its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from configured import section
from rollouts.tiny import GAMES, Maze, TablePolicy, TinyWorld, make_task

from teachable import seeds as seeding
from teachable import tables
from teachable.errors import ConfigError
from teachable.evaluation.measuring import RolloutEvaluator
from teachable.evaluation.probes import adapter_probes
from teachable.rollouts import (
    MonteCarloSettings,
    PlaySettings,
    Query,
    TreeSettings,
    Values,
    monte_carlo,
    starts_of,
    tree_values,
)
from teachable.student.prompt import Context
from teachable.training import micro
from teachable.training.errors import TrainingError
from teachable.training.similar import Neighbours

PLAY = PlaySettings(max_steps=8, stop_unwinnable=True)
TREE = TreeSettings(prompts=60, episodes=60, play=PLAY)


class Learner(TablePolicy):
    """A student that, with an adapter, prefers the one command the adapter was trained to give, in its one prompt."""

    def __init__(self, *, learns: bool = True) -> None:
        super().__init__(sharpness=0.5)
        self.learns = learns
        self.taught: dict[str, tuple[str, str]] = {}
        self.alive: list[int] = []

    def fit(self, asked: Sequence[tuple[str, str, str]]) -> list[micro.Fitted]:
        for adapter, prompt, completion in asked:
            self.taught[adapter] = (prompt, completion) if self.learns else ("", "")
        self.alive.append(len(self.taught))
        return [micro.Fitted(2.0, 1.0)] * len(asked)

    def discard(self, adapter: str) -> None:
        del self.taught[adapter]

    def _logp(self, prompt: str, commands: Sequence[str], adapter: str | None) -> np.ndarray:
        logp = super()._logp(prompt, commands, None)
        if adapter is not None:
            place, wanted = self.taught[adapter]
            logp = logp + 6.0 * np.array([command == wanted and prompt == place for command in commands])
        return logp - np.log(np.exp(logp).sum())


def snapshots(seeds: Sequence[int]) -> pl.DataFrame:
    """LABELED rows at the start of mazes; quadrants in turn; the maze's number is a word of its recipe."""
    rows = []
    for index, seed in enumerate(seeds):
        task, commands = make_task(seed), Maze(seed).commands(0)
        rows.append(
            {
                **dict.fromkeys(tables.LABELED),
                "snapshot_id": f"s{seed:03d}",
                "task_id": task.task_id,
                "family": task.family,
                "prefix": [],
                "digest": f"{task.task_id}:0",
                "goal": "get out",
                "memo": f"{'soup' if index % 2 else 'salad'} maze",
                "scene": "room 0",
                "observation": "begin",
                "history": [],
                "commands": list(commands),
                "quadrant": f"Q{index % 4 + 1}",
                "route": ("demo", "contrast", "hint")[index % 3],
                "ELP_net": 0.1 * index,
                "L_local": 0.2,
                "unwinnable": False,
            }
        )
    return pl.DataFrame(rows, schema=dict(tables.LABELED))


def advice(labeled: pl.DataFrame, invalid: tuple[str, ...] = ()) -> pl.DataFrame:
    world = TinyWorld()
    rows = [
        {
            **dict.fromkeys(tables.ADVICE),
            "snapshot_id": s,
            "valid": s not in invalid,
            "suggested_action": world.start(make_task(int(s[1:])), GAMES).expert_command(),
        }
        for s in labeled["snapshot_id"]
    ]
    return pl.DataFrame(rows, schema=dict(tables.ADVICE))


def panels(labeled: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {"panel": panel, "side": "held_out", "snapshot_id": s, "task_id": t, "quadrant": q, "order": i}
        for panel in ("held_out", "validation")
        for i, (s, t, q) in enumerate(labeled.select("snapshot_id", "task_id", "quadrant").iter_rows())
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))


def micro_section(**changes: Any) -> Any:
    """Of the configuration; by route and with half of the weight on similar games where a test says nothing."""
    return section("microtraining", **{"format": "route", "similar_tasks": 10, "snapshot_weight": 0.5, **changes})


def run(
    student: Learner, seeds: Sequence[int], invalid: tuple[str, ...] = (), group: int = 16, **changes: Any
) -> tuple[micro.MicroResult, list[micro.Trial], dict[str, str]]:
    labeled = snapshots(seeds)
    settings = micro_section(**changes)

    def render(row: Any, text: Any, format_: str) -> tuple[str, str]:
        return student.prompt(Context.of(row)), text["suggested_action"]

    trials, skipped = micro.plan_trials(labeled, advice(labeled, invalid), panels(labeled), render, settings)
    evaluator = RolloutEvaluator(
        student,
        TinyWorld(),
        GAMES,
        labeled,
        {make_task(seed).task_id: make_task(seed) for seed in seeds},
        lambda policy, queries: tree_values(
            policy,
            TinyWorld(),
            GAMES,
            queries,
            TREE,
            run_seed=1,
        ),
        PLAY,
        run_seed=1,
        repeats=4,
    )

    def probe(asked: Sequence[tuple[str, Any]]) -> list[float]:
        prompts = [student.prompt(Context.of(row)) for _, row in asked]
        return adapter_probes(student, [name for name, _ in asked], prompts, [row["commands"] for _, row in asked])

    return micro.microtrain(trials, student, evaluator, probe, settings, group=group), trials, skipped


@pytest.fixture(scope="module")
def winnable() -> list[int]:
    return [s for s in range(60) if 0 in Maze(s).distance() and len(Maze(s).commands(0)) > 2][:8]


def test_the_tuned_student_is_measured(winnable: list[int]) -> None:
    student = Learner()
    result, trials, _ = run(student, winnable, similar_tasks=2, group=3)
    rows = result.rows
    assert rows.height == len(trials) == 8
    assert not result.skipped
    assert (rows["probe_shift"] > 0.05).all()
    # the adapter gives the expert's command there and is the base elsewhere: that is p_force of the base
    tasks = {make_task(seed).task_id: make_task(seed) for seed in winnable}
    queries = [Query(start) for start in starts_of(snapshots(winnable), tasks)]
    values = tree_values(Learner(), TinyWorld(), GAMES, queries, TREE, run_seed=1).estimates
    for quantity, column in (("p_policy", "before"), ("p_force", "after")):
        known = values.filter(pl.col("quantity") == quantity).select("snapshot_id", "value")
        both = rows.join(known, on="snapshot_id")
        assert (both[column] - both["value"]).abs().max() < 0.06, quantity  # type: ignore[operator]
    assert rows["delta_snapshot"].mean() > 0.03  # type: ignore[operator]
    assert (rows["delta_snapshot"] == rows["after"] - rows["before"]).all()
    assert student.taught == {}, "adapters are discarded"
    assert max(student.alive) == 3, "never more adapters than a group has"
    expected = 0.5 * rows["delta_snapshot"] + 0.5 * rows["delta_similar"]
    assert np.allclose(rows["delta_micro"], expected)
    tables.conform(rows, tables.MICROTRAINING)


def test_before_is_the_base_student(winnable: list[int]) -> None:
    result, _, _ = run(Learner(), winnable, similar_tasks=0, snapshot_weight=1.0)
    again, _, _ = run(Learner(), winnable, similar_tasks=0, snapshot_weight=1.0, group=1)
    assert result.rows.equals(again.rows), "the group size changes nothing"
    assert (result.rows["delta_micro"] == result.rows["delta_snapshot"]).all()
    assert set(result.rows["similar_tasks"]) == {0}
    assert result.rows["delta_similar"].null_count() == 8


def test_an_adapter_that_changes_nothing_is_an_error(winnable: list[int]) -> None:
    with pytest.raises(Exception, match="micro/"):
        run(Learner(learns=False), winnable, similar_tasks=0, snapshot_weight=1.0)
    labeled = snapshots(winnable)
    trial = micro.Trial(labeled.row(0, named=True), "demo", "p", "go a", ())

    class Nowhere:
        def from_snapshots(self, asked: Any, purpose: str) -> dict[str, tuple[float, float]]:
            return {s: (0.0, 0.0) for s, _ in asked}

        def on_tasks(self, asked: Any, purpose: str) -> list[float | None]:
            return [0.0] * len(asked)

    settings = micro_section(similar_tasks=0, snapshot_weight=1.0)
    with pytest.raises(TrainingError, match="changes no probability"):
        micro.microtrain([trial], Learner(), Nowhere(), lambda asked: [0.0] * len(asked), settings)


def test_similar_games_are_held_out_of_the_family_and_never_the_own(winnable: list[int]) -> None:
    _, trials, skipped = run(Learner(), winnable, similar_tasks=3, invalid=("s999",))
    assert not skipped
    memo = {f"maze-{seed}": i % 2 for i, seed in enumerate(winnable)}
    for trial in trials:
        assert trial.row["task_id"] not in trial.similar
        assert len(trial.similar) == 3
        assert {memo[task] for task in trial.similar} == {memo[trial.row["task_id"]]}, "the same recipe is nearest"
        assert trial.format == trial.row["route"]


def test_snapshots_without_advice_are_reported(winnable: list[int]) -> None:
    name = f"s{winnable[0]:03d}"
    changes = {"similar_tasks": 0, "snapshot_weight": 1.0, "format": "demo"}
    result, trials, skipped = run(Learner(), winnable, invalid=(name,), **changes)
    assert skipped == {name: "no valid advice"}
    assert result.rows.height == 7
    assert {trial.format for trial in trials} == {"demo"}


def test_neighbours_prefer_rare_words_and_ignore_common_ones() -> None:
    rows = [
        {
            **dict.fromkeys(tables.LABELED),
            "snapshot_id": f"s{i}",
            "task_id": f"t{i}",
            "family": "nav" if i == 5 else "easy",
            "goal": "you are hungry",
            "memo": memo,
            "scene": "kitchen",
        }
        for i, memo in enumerate(
            ["dice red apple", "dice red apple", "roast banana", "dice carrot", "", "dice red apple"]
        )
    ]
    near = Neighbours.of(pl.DataFrame(rows, schema=dict(tables.LABELED)))
    everyone = near.task_ids
    assert near.nearest("t0", everyone, 9) == ["t1", "t3", "t2", "t4"], "the other family is no neighbour"
    assert near.nearest("t0", everyone, 1) == ["t1"]
    assert near.nearest("t0", ["t0"], 3) == []


def test_similar_games_that_weigh_must_be_played() -> None:
    with pytest.raises(ConfigError, match="snapshot_weight below 1 needs similar_tasks"):
        section("microtraining", similar_tasks=0, snapshot_weight=0.5)


class Untaught(Learner):
    """Its adapters are the base student, yet the probe is told otherwise: a training that teaches nothing."""

    def _logp(self, prompt: str, commands: Sequence[str], adapter: str | None) -> np.ndarray:
        return super()._logp(prompt, commands, None)


def few_episodes(policy: Any, queries: Sequence[Query]) -> Values:
    budget = MonteCarloSettings(policy_episodes=5, force_episodes=1, expert_episodes=1, play=PLAY)
    return monte_carlo(policy, TinyWorld(), GAMES, queries, budget, run_seed=1)


def small_trees(policy: Any, queries: Sequence[Query]) -> Values:
    return tree_values(policy, TinyWorld(), GAMES, queries, TreeSettings(prompts=1, episodes=5, play=PLAY), run_seed=1)


@pytest.mark.parametrize("estimate", [few_episodes, small_trees])
def test_label_before_and_after_share_no_random_stream(
    winnable: list[int], estimate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[int] = set()
    integer = seeding.integer

    def watched(run_seed: int, *names: object) -> int:
        used.add(integer(run_seed, *names))
        return integer(run_seed, *names)

    monkeypatch.setattr(seeding, "integer", watched)

    def collect(call: Any) -> tuple[Any, set[int]]:
        used.clear()
        return call(), set(used)

    student, labeled = Untaught(), snapshots(winnable)
    tasks = {make_task(seed).task_id: make_task(seed) for seed in winnable}
    queries = [Query(start) for start in starts_of(labeled, tasks)]
    streams: dict[str, set[int]] = {"label": collect(lambda: estimate(student, queries))[1], "before": set()}
    streams["after"] = set()
    valued = estimate(student, queries).estimates.filter(quantity="p_policy")
    label = dict(valued.select("snapshot_id", "value").iter_rows())

    class Watched(RolloutEvaluator):
        def from_snapshots(self, asked: Any, *purpose: Any) -> Any:
            found, seeds = collect(lambda: super(Watched, self).from_snapshots(asked, *purpose))
            streams["before" if asked[0][1] is None else "after"] |= seeds
            return found

        def on_tasks(self, asked: Any, *purpose: Any) -> Any:
            found, seeds = collect(lambda: super(Watched, self).on_tasks(asked, *purpose))
            streams["before" if asked[0][1] is None else "after"] |= seeds
            return found

    shards = [
        RolloutEvaluator(student, TinyWorld(), GAMES, labeled, tasks, estimate, PLAY, run_seed=1, shard=shard)
        for shard in (0, 1)
    ]
    played = [one.on_tasks([(task, None) for task in sorted(tasks)], "before") for one in shards]
    assert played[0] == played[1], "the same episodes"
    names = [name for one in shards for name in one.episodes["episode_id"]]
    assert len(set(names)) == len(names) > 2, "by names of their own"

    evaluator = Watched(student, TinyWorld(), GAMES, labeled, tasks, estimate, PLAY, run_seed=1, repeats=3)
    settings = micro_section(similar_tasks=2)
    trials, _ = micro.plan_trials(labeled, advice(labeled), panels(labeled), lambda *_: ("prompt", "go a"), settings)
    rows = micro.microtrain(trials, student, evaluator, lambda asked: [1.0] * len(asked), settings, group=8).rows
    assert all(streams.values())
    for one, other in (("label", "before"), ("label", "after"), ("before", "after")):
        assert not streams[one] & streams[other], (one, other)
    assert (rows["before"] != rows["after"]).any(), "the same student, other episodes"
    assert any(label[row["snapshot_id"]] != row["before"] for row in rows.iter_rows(named=True))
