from __future__ import annotations

import math

import polars as pl
import pytest
from configured import section

from teachable import tables
from teachable.errors import TableError
from teachable.rollouts import (
    EpisodeSpec,
    PlaySettings,
    Start,
    choose_snapshots,
    play,
    restore_check,
    retention_panel,
    starts_of,
)
from teachable.rollouts.snapshots import decisions_of_failures
from teachable.student.prompt import Context
from teachable.worlds.base import RestoreMismatch

from .tiny import GAMES, TablePolicy, TinyWorld, brute_force, make_task

TASKS = [make_task(s, family) for s in range(25) for family in ("maze", "cave")]
BY_ID = {task.task_id: task for task in TASKS}


@pytest.fixture(scope="module")
def played():
    specs = [EpisodeSpec(f"{t.task_id}/{r}", Start(t), repeat=r) for t in TASKS for r in range(2)]
    specs += [
        EpisodeSpec(f"{t.task_id}/x", Start(t), behaviour="expert", noise=0.6) for t in TASKS if t.family == "maze"
    ]
    world = TinyWorld(rooms=12)
    return play(TablePolicy(), world, GAMES, specs, PlaySettings(max_steps=9), run_seed=4, record_steps=True)


def mining(**changes):
    plain = {"max_snapshots": 3000, "max_expert_snapshots": 0, "per_episode": 2, "interval": 3, "interval_episodes": 0}
    return section("snapshots", **plain | changes)


def choose(played, **kwargs):
    settings = mining(
        **{"max_snapshots": 60, "max_expert_snapshots": 20, "interval": 2, "interval_episodes": 5} | kwargs
    )
    return choose_snapshots(played.steps, played.episodes, settings, run_seed=9)


def test_only_failed_episodes_within_the_window(played) -> None:
    chosen = tables.conform(choose(played), tables.SNAPSHOTS)
    failures = chosen.filter(kind="failure")
    assert len(failures) > 30
    ends = {
        e: (success, fault)
        for e, success, fault in played.episodes.select("episode_id", "success", "fault").iter_rows()
    }
    assert all(ends[e] == (False, None) for e in chosen["episode_id"])
    assert failures["distance"].is_between(1, 5).all()
    assert failures.group_by("episode_id").len()["len"].max() <= 2
    assert set(failures["source"]) == {"student", "expert"}
    for row in failures.to_dicts():
        steps = played.steps.filter(episode_id=row["episode_id"])
        bad = steps.filter("unwinnable")["step"].to_list()
        end = bad[0] if bad else len(steps)
        assert row["distance"] == end - row["step"]
        assert not steps["unwinnable"][row["step"]]
        assert row["student_action"] == steps["action"][row["step"]]
        assert row["prefix"] == steps["action"].to_list()[: row["step"]]


def test_the_deciding_decision_is_always_among_those_of_an_episode(played) -> None:
    failures = choose_snapshots(
        played.steps, played.episodes, mining(max_snapshots=1000, per_episode=2), run_seed=9
    ).filter(kind="failure")
    looks = played.steps.select("task_id", "digest", "episode_id", "step")
    drawn = {(row["task_id"], row["digest"]) for row in failures.to_dicts()}
    for episode, part in failures.group_by("episode_id"):
        deciding = part["distance"].min() + part.filter(pl.col("distance") == pl.col("distance").min())["step"][0] - 1
        row = looks.filter(episode_id=episode[0], step=deciding).to_dicts()[0]
        assert (row["task_id"], row["digest"]) in drawn  # this one, or one in the same state
    assert (failures["distance"] == 1).sum() > 0.3 * len(failures)


def test_the_older_rule_leaves_the_deciding_decision_out(played) -> None:
    failures = choose(played, nearest=2, farthest=5).filter(kind="failure")
    assert failures["distance"].is_between(2, 5).all()


def test_by_fall_the_decisions_at_which_the_chance_of_success_falls_most_come_first(played) -> None:
    decisions = decisions_of_failures(played.steps, played.episodes)
    start = dict(zip(decisions["snapshot_id"], starts_of(decisions, BY_ID), strict=True))
    value = {
        (episode, step): brute_force(
            TinyWorld(rooms=12), TablePolicy(), start[name].task, start[name].prefix, 9 - len(start[name].prefix)
        )
        for name, episode, step in decisions.select("snapshot_id", "episode_id", "step").iter_rows()
    }
    values = decisions.select("episode_id", "step").with_columns(value=pl.Series(value.values()), se=pl.lit(0.0))
    settings = mining(max_snapshots=1000, per_episode=1, mode="fall")
    chosen = choose_snapshots(played.steps, played.episodes, settings, run_seed=9, values=values)
    falls = {at: now - value.get((at[0], at[1] + 1), 0.0) for at, now in value.items()}
    firsts = 0
    for episode, step in chosen.select("episode_id", "step").iter_rows():
        of = {at: fall for (name, at), fall in falls.items() if name == episode}
        assert step == max(of) if max(of.values()) <= 0 else of[step] > 0
        firsts += of[step] == max(of.values())
    assert firsts > 0.7 * len(chosen), "only a decision in a state that is drawn already gives way to the next"
    assert (chosen["distance"] > 1).any()
    with pytest.raises(TableError, match="mode"):
        choose_snapshots(played.steps, played.episodes, settings, run_seed=9)


def test_an_episode_with_a_fault_is_never_mined(played) -> None:
    failed = played.episodes.filter(~pl.col("success"))["episode_id"]
    victim = choose(played)["episode_id"][0]
    assert victim in failed
    is_victim = pl.col("episode_id") == victim
    episodes = played.episodes.with_columns(
        fault=pl.when(is_victim).then(pl.lit("engine died")),
        success=pl.when(~is_victim).then("success"),
    )
    chosen = choose_snapshots(played.steps, episodes, mining(max_snapshots=1000, interval_episodes=1000), run_seed=9)
    assert victim not in chosen["episode_id"]


def test_balance_over_families_and_episodes(played) -> None:
    few = choose(played, max_snapshots=12, max_expert_snapshots=0, interval_episodes=0)
    assert few.group_by("family").len()["len"].to_list() == [6, 6]
    assert few["task_id"].n_unique() == 12
    assert few["episode_id"].n_unique() == 12


def test_a_state_is_mined_once(played) -> None:
    settings = mining(max_snapshots=10_000, max_expert_snapshots=0, per_episode=9)
    failures = choose_snapshots(played.steps, played.episodes, settings, run_seed=9).filter(kind="failure")
    states = failures.select("task_id", "digest")
    failed = played.episodes.filter(~pl.col("success") & (pl.col("behaviour") == "student"))["episode_id"]
    visited = decisions_of_failures(played.steps, played.episodes).filter(pl.col("episode_id").is_in(failed.to_list()))
    near = visited.filter(pl.len().over("episode_id") - pl.col("step") <= 5).select("task_id", "digest")
    assert not states.is_duplicated().any()
    assert len(near) > near.n_unique() == len(states)  # every state near a deciding decision, and none again


def test_deterministic_whatever_the_order_of_rows(played) -> None:
    once = choose(played)
    shuffled = choose_snapshots(
        played.steps.sample(fraction=1.0, shuffle=True, seed=3),
        played.episodes.sample(fraction=1.0, shuffle=True, seed=3),
        mining(max_snapshots=60, max_expert_snapshots=20, interval=2, interval_episodes=5),
        run_seed=9,
    )
    assert once.equals(shuffled)
    other = choose_snapshots(played.steps, played.episodes, mining(max_snapshots=60), run_seed=10)
    assert not once.filter(kind="failure").equals(other)


def test_interval_snapshots_lie_on_a_grid_of_drawn_trajectories(played) -> None:
    chosen = choose(played)
    interval = chosen.filter(kind="interval")
    assert 3 <= interval["episode_id"].n_unique() <= 5  # the grid of an episode may be drawn already
    assert set(interval["episode_id"]) <= set(chosen.filter(kind="failure")["episode_id"])
    assert (interval["step"] % 2 == 0).all()
    assert chosen["snapshot_id"].n_unique() == len(chosen)
    for episode_id in interval["episode_id"].unique():
        number = len(played.steps.filter(episode_id=episode_id))
        steps = set(chosen.filter(episode_id=episode_id)["step"])
        assert set(range(0, number, 2)) <= steps


def test_steps_of_another_run_are_refused(played) -> None:
    with pytest.raises(TableError, match="decisions"):
        choose_snapshots(played.steps.filter(pl.col("step") > 0), played.episodes, mining(), run_seed=9)


def test_a_run_of_faults_is_an_error_that_says_why(played) -> None:
    broken = played.episodes.with_columns(fault=pl.lit("no story file."), success=pl.lit(None, dtype=pl.Boolean))
    with pytest.raises(TableError, match="no story file"):
        choose_snapshots(played.steps, broken, mining(), run_seed=9)


def test_restore_check_verifies_all_or_names_the_task(played) -> None:
    world = TinyWorld(rooms=12)
    chosen = choose(played)
    report = restore_check(chosen, BY_ID, world, GAMES)
    assert report["fraction"] == 1.0
    assert report["verified"] == len(chosen)
    assert report["replays"] < len(chosen)
    for change in (
        pl.lit("elsewhere").alias("digest"),
        pl.lit("fog").alias("observation"),
        pl.col("commands").list.reverse(),
    ):
        eighth = pl.int_range(pl.len()) == 7
        broken = chosen.with_columns(pl.when(eighth).then(change).otherwise(change.meta.output_name()))
        with pytest.raises(RestoreMismatch, match=chosen["task_id"][7]):
            restore_check(broken, BY_ID, world, GAMES)
    with pytest.raises(RestoreMismatch, match="not possible"):
        restore_check(chosen.with_columns(prefix=pl.lit(["fly"])), BY_ID, world, GAMES)


def test_the_recorded_context_is_the_replayed_one(played) -> None:
    from teachable.rollouts.sessions import Environments

    chosen = choose(played)
    with Environments(TinyWorld(rooms=12), GAMES) as open_environments:
        for row, start in zip(chosen.to_dicts(), starts_of(chosen, BY_ID), strict=True):
            assert open_environments[start.task].moment(start).context() == Context.of(row)


def test_retention_takes_won_tasks_near_misses_first(played) -> None:
    panel = tables.conform(retention_panel(played.steps, played.episodes, 8), tables.PANELS)
    student = played.episodes.filter(behaviour="student")
    shares = dict(student.group_by("task_id").agg(pl.col("success").mean()).iter_rows())
    assert len(panel) == 8
    assert all(shares[task] >= 0.5 for task in panel["task_id"])

    def entropy(task: str) -> float:
        won = student.filter((pl.col("task_id") == task) & pl.col("success"))["episode_id"]
        rows = played.steps.filter(pl.col("episode_id").is_in(won.to_list()))["logp"].to_list()
        return sum(-sum(math.exp(x) * x for x in logp) for logp in rows) / len(rows)

    ranks = [entropy(task) for task in panel["task_id"]]
    assert ranks == sorted(ranks, reverse=True)
    everyone = retention_panel(played.steps, played.episodes, 1000)
    assert max(entropy(t) for t in everyone["task_id"]) == pytest.approx(ranks[0])


def test_expert_failures_have_a_budget_of_their_own(played) -> None:
    both, alone = choose(played), choose(played, max_expert_snapshots=0)
    assert set(both.filter(kind="failure")["source"]) == {"student", "expert"}
    assert (both["source"] == "expert").sum() <= 20
    assert both.filter(source="student").equals(alone), "the student's set is the same with and without them"
