from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachable import tables
from teachable.rollouts import (
    MonteCarloSettings,
    PlaySettings,
    Query,
    Start,
    TreeSettings,
    checkpoint,
    monte_carlo,
    tree_values,
)
from teachable.rollouts.policy import CachedPolicy
from teachable.rollouts.tree import allocate, frontier_values
from teachable.terms import CONDITIONS

from .tiny import GAMES, Maze, MazeSession, TablePolicy, TinyWorld, brute_force, make_task, patches_for

HORIZON = 6
PLAY = PlaySettings(max_steps=HORIZON, stop_unwinnable=True)
EXACT = TreeSettings(prompts=100_000, episodes=1, tolerance=0.0, play=PLAY)
QUANTITIES = [f"p_{q}" for q in ("policy", "force", "expert", "base", "placebo", "demo", "contrast", "hint")]


def query(seed: int, *, patched: bool = True) -> Query:
    commands = Maze(seed).commands(0)
    start = Start(make_task(seed), (), f"maze-{seed}:0", f"s{seed}")
    return Query(start, patches_for(commands) if patched else {})


def truth(seed: int, *, later: bool = False, policy: TablePolicy | None = None) -> dict[str, float]:
    world, policy, task = TinyWorld(), policy or TablePolicy(), make_task(seed)
    expert = MazeSession(task, Maze(seed), world).expert_command()
    values = {
        f"p_{c}": brute_force(world, policy, task, (), HORIZON, patch=text, patch_later=later)
        for c, text in patches_for(Maze(seed).commands(0)).items()
    }
    values["p_policy"] = values["p_base"] = brute_force(world, policy, task, (), HORIZON)
    values["p_force"] = brute_force(world, policy, task, (), HORIZON, force=expert)
    return values


def by_key(frame: pl.DataFrame, column: str = "value") -> dict[tuple[str, str], float]:
    return {(s, q): v for s, q, v in frame.select("snapshot_id", "quantity", column).iter_rows()}


def test_the_tree_equals_enumeration_when_prompts_suffice(winnable) -> None:
    result = tree_values(TablePolicy(), TinyWorld(), GAMES, [query(s) for s in winnable], EXACT, run_seed=1)
    found = by_key(result.estimates)
    for seed in winnable:
        for quantity, value in truth(seed).items():
            assert found[f"s{seed}", quantity] == pytest.approx(value, abs=1e-12)
        assert found[f"s{seed}", "p_expert"] == float(Maze(seed).distance()[0] <= HORIZON)
    assert result.estimates["se"].max() == 0
    assert result.estimates["gap"].max() < 1e-12


def test_action_values_equal_enumeration_and_sum_to_every_condition(winnable) -> None:
    result = tree_values(TablePolicy(), TinyWorld(), GAMES, [query(s) for s in winnable], EXACT, run_seed=1)
    tables.conform(result.action_values, tables.ACTION_VALUES)
    tables.conform(result.estimates, tables.ESTIMATES)
    found = by_key(result.estimates)
    for seed in winnable:
        mine = result.action_values.filter(snapshot_id=f"s{seed}")
        assert mine["command"].to_list() == list(Maze(seed).commands(0))
        for command, value in mine.select("command", "value").iter_rows():
            forced = brute_force(TinyWorld(), TablePolicy(), make_task(seed), (), HORIZON, force=command)
            assert value == pytest.approx(forced, abs=1e-12)
        for c in ("base", "placebo", "demo", "contrast", "hint"):
            total = (mine[f"pi_{c}"] * mine["value"]).sum()
            assert total == pytest.approx(found[f"s{seed}", f"p_{c}"], abs=1e-12)


@pytest.mark.parametrize("later", [False, True])
def test_patch_scope(winnable, later: bool) -> None:
    chosen = winnable[:6]
    scope = "episode" if later else "decision"
    result = tree_values(
        TablePolicy(),
        TinyWorld(),
        GAMES,
        [query(s) for s in chosen],
        replace(EXACT, patch_scope=scope),
        run_seed=1,
    )
    found = by_key(result.estimates)
    for seed in chosen:
        for quantity, value in truth(seed, later=later).items():
            assert found[f"s{seed}", quantity] == pytest.approx(value, abs=1e-12), quantity
    assert truth(chosen[0], later=True) != truth(chosen[0], later=False)


def test_under_scope_decision_the_patch_is_in_no_later_prompt(winnable) -> None:
    policy = TablePolicy()
    tree_values(policy, TinyWorld(), GAMES, [query(winnable[0])], EXACT, run_seed=1)
    patched = [prompt for prompt in policy.seen if "tip: -" not in prompt]
    assert len(patched) == 4
    assert all("did: -" in prompt for prompt in patched)  # the first decision


BUDGETS = TreeSettings(prompts=10, episodes=16, tolerance=0.001, play=PLAY)


def test_truncated_trees_are_unbiased_and_within_their_errors_and_bounds(winnable) -> None:
    errors, scaled, nets = [], [], []
    exact = {seed: truth(seed) for seed in winnable}
    for run_seed in range(12):
        result = tree_values(
            TablePolicy(), TinyWorld(), GAMES, [query(s) for s in winnable], BUDGETS, run_seed=run_seed
        )
        value, se, net = (by_key(result.estimates, c) for c in ("value", "se", "net_se"))
        for seed in winnable:
            for quantity, expected in exact[seed].items():
                key = (f"s{seed}", quantity)
                errors.append(value[key] - expected)
                if se[key] > 0:
                    scaled.append(errors[-1] / se[key])
            for m in ("demo", "contrast", "hint"):
                true_net = exact[seed][f"p_{m}"] - exact[seed]["p_placebo"]
                key = (f"s{seed}", f"p_{m}")
                if net[key] > 0:
                    nets.append((value[key] - value[f"s{seed}", "p_placebo"] - true_net) / net[key])
        bounded = result.action_values
        for seed in winnable:
            for command, low, high in (
                bounded.filter(snapshot_id=f"s{seed}").select("command", "lower", "upper").iter_rows()
            ):
                forced = brute_force(TinyWorld(), TablePolicy(), make_task(seed), (), HORIZON, force=command)
                assert low - 1e-9 <= forced <= high + 1e-9
        assert (bounded["value"] >= bounded["lower"] - 1e-12).all()
        assert (bounded["value"] <= bounded["upper"] + 1e-12).all()
    assert abs(np.mean(errors)) < 0.01
    assert np.sqrt(np.mean(np.square(errors))) < 0.08
    assert np.std(scaled) < 1.3  # errors are not understated
    assert np.std(nets) < 1.3


def test_more_prompts_and_episodes_are_better(winnable) -> None:
    exact = {seed: truth(seed) for seed in winnable}

    def rmse(prompts: int, episodes: int) -> float:
        budget = replace(BUDGETS, prompts=prompts, episodes=episodes)
        errors = []
        for run_seed in range(4):
            queries = [query(s) for s in winnable]
            result = tree_values(TablePolicy(), TinyWorld(), GAMES, queries, budget, run_seed=run_seed)
            found = by_key(result.estimates)
            errors += [found[f"s{s}", q] - v for s, values in exact.items() for q, v in values.items()]
        return float(np.sqrt(np.mean(np.square(errors))))

    assert rmse(4, 8) > 1.3 * rmse(4, 64)
    assert rmse(4, 16) > 1.3 * rmse(30, 16)


def test_monte_carlo_is_unbiased_and_logs_every_episode(winnable) -> None:
    chosen = winnable[:3]
    budget = MonteCarloSettings(
        policy_episodes=400, force_episodes=400, expert_episodes=2, condition_episodes=400, play=PLAY
    )
    result = monte_carlo(TablePolicy(), TinyWorld(), GAMES, [query(s) for s in chosen], budget, run_seed=3)
    tables.conform(result.estimates, tables.ESTIMATES)
    tables.conform(result.episodes, tables.EPISODES)
    found, se = by_key(result.estimates), by_key(result.estimates, "se")
    for seed in chosen:
        for quantity, value in truth(seed).items():
            key = (f"s{seed}", quantity)
            assert abs(found[key] - value) < 4 * se[key]
        assert se[f"s{seed}", "p_expert"] == 0
    assert len(result.episodes) == len(chosen) * (400 * 7 + 2)
    assert result.episodes["seed"].n_unique() == len(result.episodes)
    assert result.action_values.is_empty()


def test_default_budgets_are_the_protocols(winnable) -> None:
    queries = [query(winnable[0]), query(winnable[1], patched=False)]
    budget = MonteCarloSettings(play=PLAY)
    result = monte_carlo(TablePolicy(), TinyWorld(), GAMES, queries, budget, run_seed=3)
    counts = {(s, c): n for s, c, n in result.episodes.group_by("snapshot_id", "condition").len().iter_rows()}
    first = {c: n for (s, c), n in counts.items() if s == f"s{winnable[0]}"}
    assert first == {
        "policy": 7,
        "force": 7,
        "expert": 2,
        **dict.fromkeys(("base", "placebo", "demo", "contrast", "hint"), 2),
    }
    assert {c for s, c in counts if s == f"s{winnable[1]}"} == {"policy", "force", "expert"}
    assert result.estimates.filter(snapshot_id=f"s{winnable[0]}")["quantity"].to_list() == QUANTITIES


@pytest.mark.parametrize("scope", ["decision", "episode"])
def test_tree_and_monte_carlo_give_the_same_rows_and_agree(winnable, scope) -> None:
    chosen = winnable[:4]
    queries = [query(s) for s in chosen] + [query(winnable[5], patched=False)]
    budget = MonteCarloSettings(
        policy_episodes=150, force_episodes=150, condition_episodes=150, patch_scope=scope, play=PLAY
    )
    sampled = monte_carlo(TablePolicy(), TinyWorld(), GAMES, queries, budget, run_seed=3).estimates
    settings_ = replace(BUDGETS, prompts=60, patch_scope=scope)
    grown = tree_values(TablePolicy(), TinyWorld(), GAMES, queries, settings_, run_seed=3).estimates
    key = ["snapshot_id", "quantity"]
    assert sampled.select(key).equals(grown.select(key))
    assert sampled["net_se"].is_null().to_list() == grown["net_se"].is_null().to_list()
    difference = (sampled["value"] - grown["value"]).abs()
    error = (sampled["se"] ** 2 + grown["se"] ** 2).sqrt()
    assert (difference <= 4.5 * error + 1e-9).all()


LEVERAGE, PATCHED = QUANTITIES[:3], QUANTITIES[3:]


def alone(queries: list[Query], *, leverage: bool) -> list[Query]:
    return [replace(one, patches={}) if leverage else replace(one, leverage=False) for one in queries]


@pytest.mark.parametrize("leverage", [True, False])
def test_episodes_of_one_label_alone_are_those_of_both(winnable, leverage: bool) -> None:
    queries = [query(s) for s in winnable[:8]]
    budget = MonteCarloSettings(play=PLAY)
    both = monte_carlo(TablePolicy(), TinyWorld(), GAMES, queries, budget, run_seed=3)
    one = monte_carlo(TablePolicy(), TinyWorld(), GAMES, alone(queries, leverage=leverage), budget, run_seed=3)
    mine = LEVERAGE if leverage else PATCHED
    assert one.estimates.equals(both.estimates.filter(pl.col("quantity").is_in(mine)))
    assert one.episodes.equals(both.episodes.filter(("p_" + pl.col("condition")).is_in(mine)))
    assert one.faults == {}


@pytest.mark.parametrize("scope", ["decision", "episode"])
@pytest.mark.parametrize("leverage", [True, False])
def test_trees_of_one_label_alone_are_exact_where_prompts_suffice(winnable, leverage: bool, scope) -> None:
    queries = alone([query(s) for s in winnable[:8]], leverage=leverage)
    whole = replace(EXACT, patch_scope=scope)
    result = tree_values(TablePolicy(), TinyWorld(), GAMES, queries, whole, run_seed=3)
    assert result.estimates["quantity"].to_list() == (LEVERAGE if leverage else PATCHED) * 8
    found = by_key(result.estimates)
    for seed in winnable[:8]:
        for quantity, value in truth(seed, later=scope == "episode").items():
            if (f"s{seed}", quantity) in found:
                assert found[f"s{seed}", quantity] == pytest.approx(value, abs=1e-12), quantity
    assert ("expert" in result.episodes["condition"]) == leverage, "the patch test asks no expert"
    tables.conform(result.nodes, tables.TREE_NODES)


def test_the_patch_test_alone_at_a_dead_end_is_zero() -> None:
    seed = next(s for s in range(200) if 0 not in Maze(s).distance())
    for estimate, settings_ in ((tree_values, BUDGETS), (monte_carlo, MonteCarloSettings(play=PLAY))):
        asked = alone([query(seed)], leverage=False)
        result = estimate(TablePolicy(), TinyWorld(), GAMES, asked, settings_, run_seed=1)
        assert result.estimates["quantity"].to_list() == PATCHED
        assert result.estimates["value"].to_list() == [0.0] * 5
        assert result.faults == {}


@settings(max_examples=12)
@given(cut=st.integers(1, 9), reverse=st.booleans(), at_once=st.integers(1, 4))
def test_order_and_sharding_never_change_a_row(winnable, cut, reverse, at_once) -> None:
    queries = [query(s, patched=s % 3 > 0) for s in winnable[:10]]
    budget = MonteCarloSettings(play=PLAY)
    shuffled = queries[::-1] if reverse else queries
    small = replace(PLAY, tasks_at_once=at_once)
    for estimate, whole_settings, part_settings in (
        (tree_values, BUDGETS, replace(BUDGETS, play=small)),
        (monte_carlo, budget, replace(budget, play=small)),
    ):
        whole = estimate(TablePolicy(), TinyWorld(), GAMES, queries, whole_settings, run_seed=2)
        parts = [
            estimate(TablePolicy(), TinyWorld(), GAMES, part, part_settings, run_seed=2)
            for part in (shuffled[:cut], shuffled[cut:])
        ]
        for name, by in (
            ("estimates", ["snapshot_id", "quantity"]),
            ("action_values", ["snapshot_id", "command"]),
            ("episodes", ["episode_id"]),
            ("nodes", ["snapshot_id", "node"]),
        ):
            together = pl.concat([getattr(part, name) for part in parts]).sort(by)
            assert together.equals(getattr(whole, name).sort(by)), name


def test_the_log_holds_all_that_an_exact_value_was_made_of(winnable) -> None:
    result = tree_values(TablePolicy(), TinyWorld(), GAMES, [query(s) for s in winnable], EXACT, run_seed=1)
    tables.conform(result.nodes, tables.TREE_NODES)
    values = by_key(result.action_values.rename({"command": "quantity"}))
    for (name,), nodes in result.nodes.group_by("snapshot_id"):
        value: dict[int, float] = {}

        def after(node, at, value=value) -> float:  # type: ignore[no-untyped-def]
            outcome = node["outcomes"][at]
            return value[node["children"][at]] if outcome == "node" else float(outcome == "win")

        for node in nodes.sort("steps_left").iter_rows(named=True):
            if node["node"] == 0:
                for at, command in enumerate(node["commands"]):
                    assert after(node, at) == pytest.approx(values[name, command], abs=1e-12)
            else:
                value[node["node"]] = sum(p * after(node, at) for at, p in enumerate(node["probabilities"]))


@pytest.mark.parametrize("scope", ["decision", "episode"])
def test_every_sampled_episode_is_logged_and_can_be_played_again(winnable, scope) -> None:
    settings_ = replace(BUDGETS, prompts=4, patch_scope=scope)
    result = tree_values(TablePolicy(), TinyWorld(), GAMES, [query(s) for s in winnable], settings_, run_seed=1)
    tables.conform(result.episodes, tables.EPISODES)
    assert result.episodes["episode_id"].is_unique().all()
    walks = result.episodes.filter(pl.col("condition") != "expert")
    assert set(walks["condition"]) == ({"frontier"} if scope == "decision" else {*CONDITIONS})
    assert walks.height >= len(winnable)
    if scope == "decision":
        counted = result.estimates.filter(quantity="p_policy").select("snapshot_id", "n")
        logged = walks.group_by("snapshot_id").len("logged")
        assert (counted.join(logged, on="snapshot_id")["n"] <= counted.join(logged, on="snapshot_id")["logged"]).all()
    for name, actions, success in walks.select("snapshot_id", "actions", "success").iter_rows():
        seed = int(name[1:])
        session = MazeSession(make_task(seed), Maze(seed), TinyWorld())
        for action in actions:
            state = session.step(action)
        assert len(actions) <= HORIZON
        assert state.won == success


def test_a_fault_is_retried_and_a_broken_engine_is_named_not_counted(winnable) -> None:
    chosen = winnable[:4]
    queries = [query(s) for s in chosen]
    sound = tree_values(TablePolicy(), TinyWorld(), GAMES, queries, BUDGETS, run_seed=1)
    commands = Maze(chosen[1]).commands(0)
    once = TinyWorld(faults={(f"maze-{chosen[1]}", 0, command): 1 for command in commands[:1]})
    result = tree_values(TablePolicy(), once, GAMES, queries, BUDGETS, run_seed=1)
    assert result.estimates.equals(sound.estimates)
    assert result.faults == {}
    dead = TinyWorld(faults={(f"maze-{chosen[1]}", 0, command): 10**6 for command in commands})
    for estimate, settings_ in ((tree_values, BUDGETS), (monte_carlo, MonteCarloSettings(play=PLAY))):
        result = estimate(TablePolicy(), dead, GAMES, queries, settings_, run_seed=1)
        assert list(result.faults) == [f"s{chosen[1]}"]
        assert f"s{chosen[1]}" not in result.estimates["snapshot_id"]
        assert result.estimates["snapshot_id"].n_unique() == 3


def test_a_dead_end_has_value_zero_everywhere() -> None:
    seed = next(s for s in range(200) if 0 not in Maze(s).distance())
    for estimate, settings_ in ((tree_values, BUDGETS), (monte_carlo, MonteCarloSettings(play=PLAY))):
        result = estimate(TablePolicy(), TinyWorld(), GAMES, [query(seed)], settings_, run_seed=1)
        assert result.estimates["quantity"].to_list() == QUANTITIES
        assert result.estimates["value"].to_list() == [0.0] * 8
        assert result.faults == {}


def test_a_checkpoint_can_be_the_expert_and_an_adapter_the_student(winnable) -> None:
    policy = TablePolicy()
    cached = CachedPolicy(policy)
    seed = winnable[2]
    start = query(seed, patched=False).start
    expert = checkpoint(cached, "other")
    result = tree_values(cached, TinyWorld(), GAMES, [Query(start)], EXACT, run_seed=1, expert=expert)
    greedy_wins = by_key(result.estimates)[f"s{seed}", "p_expert"]
    assert greedy_wins in (0.0, 1.0)
    tuned = tree_values(cached, TinyWorld(), GAMES, [Query(start, adapter="tuned", model="tuned")], EXACT, run_seed=1)
    assert by_key(tuned.estimates)[f"s{seed}", "p_policy"] != by_key(result.estimates)[f"s{seed}", "p_policy"]


def test_question_refuses_unknown_conditions_and_empty_patches() -> None:
    start = Start(make_task(1), (), None, "s")
    with pytest.raises(ValueError, match="patches"):
        Query(start, {"rule": "always"})
    with pytest.raises(ValueError, match="patches"):
        Query(start, {"demo": ""})
    with pytest.raises(ValueError, match="asks for nothing"):
        Query(start, leverage=False)
    with pytest.raises(ValueError, match="snapshot_id"):
        Query(Start(make_task(1)))


@given(
    masses=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30),
    number=st.integers(1, 50),
    u=st.floats(0, 1, exclude_max=True),
)
def test_systematic_allocation_is_within_one_of_its_expectation(masses, number, u) -> None:
    masses = np.array(masses)
    counts = allocate(masses, number, u)
    expected = number * masses / masses.sum()
    assert counts.sum() == number
    assert (np.abs(counts - expected) < 1 + 1e-6).all()


def test_frontier_values_are_unbiased() -> None:
    rng = np.random.default_rng(0)
    masses = np.array([0.5, 0.2, 0.1, 0.08, 0.06, 0.04, 0.02])
    chance = np.array([0.3, 0.9, 0.1, 0.8, 0.5, 0.0, 1.0])
    reach = masses * np.array([1.0, 0.2, 1.5, 0.5, 2.0, 0.1, 1.0])
    totals, variances = [], []
    for _ in range(6000):
        counts = allocate(masses, 8, rng.random())
        values = frontier_values(8 * masses, rng.binomial(counts, chance), counts)
        totals.append(reach @ values.value)
        variances.append(reach**2 @ values.variance)
    assert np.mean(totals) == pytest.approx(reach @ chance, abs=4 * np.std(totals) / np.sqrt(6000) + 0.003)
    assert np.mean(variances) > 0.9 * np.var(totals)
