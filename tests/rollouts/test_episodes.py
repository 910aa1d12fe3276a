from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachable import tables
from teachable.rollouts import CachedPolicy, EpisodeSpec, PlaySettings, PolicyError, Start, play
from teachable.rollouts.episodes import Tally
from teachable.rollouts.policy import Request, draw, greedy, tempered
from teachable.worlds.base import InadmissibleCommand, RestoreMismatch

from .tiny import GAMES, Maze, TablePolicy, TinyWorld, make_task


def specs_for(seeds: range, repeats: int = 3, **kwargs: object) -> list[EpisodeSpec]:
    return [
        EpisodeSpec(f"{seed}/{repeat}", Start(make_task(seed)), repeat=repeat, **kwargs)  # type: ignore[arg-type]
        for seed in seeds
        for repeat in range(repeats)
    ]


def run(specs: list[EpisodeSpec], world: TinyWorld | None = None, **kwargs: object):
    settings_ = kwargs.pop("settings", PlaySettings(max_steps=8))
    return play(
        kwargs.pop("policy", TablePolicy()),  # type: ignore[arg-type]
        world or TinyWorld(),
        GAMES,
        specs,
        settings_,  # type: ignore[arg-type]
        run_seed=kwargs.pop("run_seed", 5),  # type: ignore[arg-type]
        **kwargs,  # type: ignore[arg-type]
    )


def test_rows_fit_the_schemas_and_steps_fit_the_episodes() -> None:
    played = run(specs_for(range(10)), record_steps=True)
    tables.conform(played.episodes, tables.EPISODES)
    tables.conform(played.steps, tables.STEPS)
    for episode_id, steps, actions in played.episodes.select("episode_id", "steps", "actions").iter_rows():
        mine = played.steps.filter(pl.col("episode_id") == episode_id)
        assert mine["action"].to_list() == actions
        assert mine["step"].to_list() == list(range(steps))
    for logp, commands in played.steps.select("logp", "commands").iter_rows():
        assert len(logp) == len(commands)
        assert np.exp(logp).sum() == pytest.approx(1)


@settings(max_examples=20)
@given(order=st.permutations(range(24)), cut=st.integers(0, 24), at_once=st.integers(1, 5))
def test_order_sharding_and_engines_at_once_never_change_a_row(order, cut, at_once) -> None:
    specs = specs_for(range(8))
    whole = run(specs, record_steps=True)
    shuffled = [specs[i] for i in order]
    parts = [
        run(part, record_steps=True, settings=PlaySettings(max_steps=8, tasks_at_once=at_once))
        for part in (shuffled[:cut], shuffled[cut:])
        if part
    ]
    assert pl.concat([p.episodes for p in parts]).sort("episode_id").equals(whole.episodes.sort("episode_id"))
    by = ["episode_id", "step"]
    assert pl.concat([p.steps for p in parts]).sort(by).equals(whole.steps.sort(by))


def test_seeds_differ_by_episode_and_agree_by_seed_name() -> None:
    task = make_task(3)
    many = [EpisodeSpec(f"e{i}", Start(task)) for i in range(40)]
    assert run(many).episodes["actions"].n_unique() > 3
    named = [replace(spec, seed_name="same") for spec in many]
    episodes = run(named).episodes
    assert episodes["actions"].n_unique() == 1
    assert episodes["seed"].n_unique() == 1
    assert run(many, run_seed=6).episodes["actions"].to_list() != run(many).episodes["actions"].to_list()


def test_greedy_takes_the_best_and_the_first_of_equals() -> None:
    assert greedy(np.log([0.2, 0.5, 0.3])) == 1
    assert greedy(np.log([0.4, 0.2, 0.4])) == 0
    episodes = run([EpisodeSpec(f"g{i}", Start(make_task(4)), greedy=True) for i in range(3)]).episodes
    assert episodes["actions"].n_unique() == 1
    even = run(
        [EpisodeSpec("even", Start(make_task(4)), greedy=True)], policy=TablePolicy(sharpness=0.0), record_steps=True
    )
    assert all(row["action"] == row["commands"][0] for row in even.steps.to_dicts())


def test_draws_follow_the_distribution_and_the_temperature() -> None:
    logp = np.log([0.1, 0.6, 0.3])
    drawn = np.bincount([draw(logp, (i + 0.5) / 1000) for i in range(1000)])
    assert drawn.tolist() == [100, 600, 300]
    assert draw(logp, np.nextafter(1.0, 0.0)) == 2
    cold = np.exp(tempered(logp, 0.5))
    assert cold == pytest.approx(np.array([0.01, 0.36, 0.09]) / 0.46)


def test_force_is_the_first_command_only() -> None:
    task = make_task(4)
    forced = Maze(4).commands(0)[-1]
    specs = [EpisodeSpec(f"f{i}", Start(task), force=forced) for i in range(30)]
    episodes = run(specs).episodes
    assert {actions[0] for actions in episodes["actions"]} == {forced}
    assert episodes["actions"].n_unique() > 1
    with pytest.raises(InadmissibleCommand):
        run([EpisodeSpec("x", Start(task), force="fly")])


@pytest.mark.parametrize(("scope", "patched"), [("decision", 1), ("episode", None)])
def test_a_patch_is_in_the_first_prompt_or_in_all(scope, patched) -> None:
    policy = TablePolicy()
    specs = [EpisodeSpec("p", Start(make_task(5)), patch="try go a", patch_scope=scope)]
    steps = run(specs, policy=policy).episodes["steps"][0]
    with_patch = [prompt for prompt in policy.seen if "try go a" in prompt]
    assert len(policy.seen) >= 2
    assert len(with_patch) == (patched or len(policy.seen))
    assert len(policy.seen) <= steps


def test_snapshots_are_replayed_and_verified() -> None:
    task = make_task(6)
    maze = Maze(6)
    prefix = (maze.commands(0)[0],)
    room = maze.leads(0, prefix[0])
    digest = f"{task.task_id}:{room}"
    good = Start(task, prefix, digest, "s")
    row = run([EpisodeSpec("ok", good)], record_steps=True)
    assert row.steps["step"].to_list()[:1] == [1]
    assert row.episodes["snapshot_id"].to_list() == ["s"]
    with pytest.raises(RestoreMismatch, match=task.task_id):
        run([EpisodeSpec("bad", replace(good, digest="other"))])
    with pytest.raises(RestoreMismatch, match=task.task_id):
        run([EpisodeSpec("bad", replace(good, prefix=("fly",)))])


def test_horizon_counts_from_the_snapshot_or_from_the_start() -> None:
    task = make_task(2)
    command = Maze(2).commands(0)[0]
    start = Start(task, (command,), None, "s")
    policy = TablePolicy()
    fresh = run([EpisodeSpec(f"{i}", start) for i in range(20)], policy=policy, settings=PlaySettings(max_steps=4))
    left = run([EpisodeSpec(f"{i}", start) for i in range(20)], settings=PlaySettings(max_steps=4, horizon="remaining"))
    assert fresh.episodes["steps"].max() == 4
    assert left.episodes["steps"].max() == 3


def test_faults_are_no_failures_and_touch_only_their_episode() -> None:
    specs = specs_for(range(6), repeats=4)
    sound = run(specs, record_steps=True)
    victim = sound.episodes.filter(pl.col("steps") > 2).row(0, named=True)
    room = int(sound.steps.filter(episode_id=victim["episode_id"])["scene"][2].split()[1])
    key = (victim["task_id"], room, victim["actions"][2])
    world = TinyWorld(faults={key: 1})
    episodes = run(specs, world, record_steps=True).episodes
    faulty = episodes.filter(pl.col("fault").is_not_null())
    assert len(faulty) == 1
    assert faulty["success"].to_list() == [None]
    assert faulty["lost"].to_list() == [None]
    ids = faulty["episode_id"].to_list()
    rest = ~pl.col("episode_id").is_in(ids)
    assert episodes.filter(rest).equals(sound.episodes.filter(rest))
    assert world.started == 7  # six tasks, one of them twice


def test_a_dead_start_faults_every_episode_of_the_task_and_no_other() -> None:
    specs = specs_for(range(3), repeats=2)

    class Broken(TinyWorld):
        def start(self, task, games):
            from teachable.worlds.base import EngineFault

            if task.task_id == "maze-1":
                raise EngineFault("no such file")
            return super().start(task, games)

    episodes = run(specs, Broken()).episodes
    assert episodes.filter(pl.col("fault").is_not_null())["task_id"].unique().to_list() == ["maze-1"]
    assert episodes.filter(task_id="maze-1")["success"].null_count() == 2


def test_the_expert_wins_what_can_be_won_and_its_noise_makes_failures(winnable) -> None:
    specs = [EpisodeSpec(f"x{s}", Start(make_task(s)), behaviour="expert") for s in winnable]
    policy = TablePolicy()
    clean = run(specs, policy=policy)
    assert clean.episodes["success"].all()
    assert policy.seen == []  # nobody asked the student
    noisy = [replace(spec, episode_id=f"{spec.episode_id}/{i}", noise=0.5) for spec in specs for i in range(5)]
    result = run(noisy, record_steps=True)
    assert 0 < result.episodes["success"].mean() < 1
    assert result.episodes["behaviour"].unique().to_list() == ["expert"]
    assert len(result.steps) == result.episodes["steps"].sum()


def test_stop_unwinnable_shortens_and_changes_no_outcome() -> None:
    specs = specs_for(range(12))
    long = run(specs).episodes
    short = run(specs, settings=PlaySettings(max_steps=8, stop_unwinnable=True)).episodes
    assert short["success"].to_list() == long["success"].to_list()
    assert short["steps"].sum() < long["steps"].sum()


def test_tally_of_a_hand_made_episode() -> None:
    tally = Tally()
    tally.begin("A")
    #            new  same  same  back  back  new
    for command, digest in zip("nxxbcn", "BBBABC", strict=True):
        tally.add(command, digest)
    assert (tally.repeats, tally.wasted, tally.loops, tally.escape) == (1, 2, 2, 4)


def test_one_batch_a_wave_and_nothing_asked_twice() -> None:
    policy = TablePolicy()
    cached = CachedPolicy(policy)
    specs = [EpisodeSpec(f"e{i}", Start(make_task(7))) for i in range(50)]
    play(cached, TinyWorld(), GAMES, specs, PlaySettings(max_steps=6), run_seed=1)
    assert len(policy.batches) <= 6
    assert policy.batches[0] == 1
    assert len(set(policy.seen)) == len(policy.seen) == cached.evaluated < cached.asked


def test_a_small_memory_gives_the_same_answers() -> None:
    requests = [Request(f"room {i}\ndid: -\ntip: -\nact:", ("a", "b")) for i in range(30)]
    small, large = CachedPolicy(TablePolicy(), limit=7), CachedPolicy(TablePolicy())
    for part in (requests[:20], requests[10:], requests[::2]):
        for a, b in zip(small.ask(part), large.ask(part), strict=True):
            assert a.tolist() == b.tolist()


def test_a_policy_that_is_no_distribution_is_refused() -> None:
    class Bad(TablePolicy):
        def _logp(self, prompt, commands, adapter):
            return np.zeros(len(commands))

    with pytest.raises(PolicyError, match="sum"):
        run(specs_for(range(1)), policy=Bad())


def test_two_jobs_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="episode_id"):
        run(specs_for(range(1), repeats=1) * 2)
