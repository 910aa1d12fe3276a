"""Another expert than the game's solver: who plays p_expert, gives the forced command and stands in the rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from configured import section

from teachable import tables
from teachable.pipeline.collecting import collect, continue_with_expert
from teachable.rollouts import (
    CachedPolicy,
    ContextExpert,
    EpisodeSpec,
    MonteCarloSettings,
    Oracle,
    PlaySettings,
    Query,
    Start,
    TreeSettings,
    Turn,
    Values,
    checkpoint,
    monte_carlo,
    play,
    tree_values,
)

from .tiny import GAMES, Maze, TablePolicy, TinyWorld, brute_force, make_task

PLAY = PlaySettings(max_steps=6, stop_unwinnable=True)


def room(turn: Turn) -> int:
    return int(turn.moment.state.scene.removeprefix("room "))


def loses(turns: Sequence[Turn]) -> list[str | None]:
    """Never a command that wins: none where each does."""
    return [
        next(
            (c for c in turn.moment.state.commands if Maze(turn.environment.task.seed).leads(room(turn), c) != -1), None
        )
        for turn in turns
    ]


LOSER = ContextExpert(loses, name="loser", deterministic=True)


def query(seed: int) -> Query:
    return Query(Start(make_task(seed), (), f"maze-{seed}:0", f"s{seed}"))


def values(estimator: str, seeds: Sequence[int], expert: object = None, run_seed: int = 1) -> Values:
    asked = [query(seed) for seed in seeds]
    if estimator == "tree":
        exact = TreeSettings(prompts=100_000, episodes=1, tolerance=0.0, play=PLAY, expert_episodes=40)
        return tree_values(TablePolicy(), TinyWorld(), GAMES, asked, exact, run_seed=run_seed, expert=expert)  # type: ignore[arg-type]
    budget = MonteCarloSettings(force_episodes=60, expert_episodes=40, play=PLAY)
    return monte_carlo(TablePolicy(), TinyWorld(), GAMES, asked, budget, run_seed=run_seed, expert=expert)  # type: ignore[arg-type]


def found(made: Values, quantity: str, column: str = "value") -> list[float]:
    return made.estimates.filter(quantity=quantity)[column].to_list()


@pytest.mark.parametrize("estimator", ["tree", "monte_carlo"])
def test_an_expert_who_always_loses_has_p_expert_0_and_its_own_forced_command(estimator: str, winnable) -> None:
    seeds = winnable[:5]
    lost, oracle = values(estimator, seeds, LOSER), values(estimator, seeds)
    assert found(lost, "p_expert") == [0.0] * 5
    assert found(oracle, "p_expert") == [float(Maze(seed).distance()[0] <= 6) for seed in seeds]
    if estimator == "tree":
        for seed, value in zip(seeds, found(lost, "p_force"), strict=True):
            forced = next(c for c in Maze(seed).commands(0) if Maze(seed).leads(0, c) != -1)
            truth = brute_force(TinyWorld(), TablePolicy(), make_task(seed), (), 6, force=forced)
            assert value == pytest.approx(truth, abs=1e-12)
    assert found(lost, "p_policy") == pytest.approx(found(oracle, "p_policy"), abs=1e-12), "the student is the same"


@pytest.mark.parametrize("estimator", ["tree", "monte_carlo"])
def test_the_oracle_given_and_the_oracle_by_default_are_equal(estimator: str, winnable) -> None:
    given, default = values(estimator, winnable[:4], Oracle()), values(estimator, winnable[:4])
    for name in ("estimates", "action_values", "episodes", "nodes"):
        assert getattr(given, name).equals(getattr(default, name))
    assert set(default.episodes["model"]) == {"base"}


@pytest.mark.parametrize("estimator", ["tree", "monte_carlo"])
def test_its_name_stands_in_the_rows_that_it_made_and_in_no_other(estimator: str, winnable) -> None:
    played = values(estimator, winnable[:3], LOSER).episodes
    assert set(played.filter(behaviour="expert")["model"]) == {"loser"}
    assert set(played.filter(pl.col("behaviour") != "expert")["model"]) <= {"base"}
    tables.conform(played, tables.EPISODES)


def test_no_expert_but_the_oracle_is_asked_at_a_dead_end() -> None:
    dead = next(seed for seed in range(200) if 0 not in Maze(seed).distance())

    def never(turns: Sequence[Turn]) -> list[str | None]:
        raise AssertionError("asked")

    silent = ContextExpert(never, name="silent", deterministic=False)
    for estimator in ("tree", "monte_carlo"):
        made = values(estimator, [dead], silent)
        assert found(made, "p_expert") == found(made, "p_force") == [0.0]
        assert found(made, "p_expert", "se") == [0.0]


def drawing(temperature: float) -> ContextExpert:
    return checkpoint(CachedPolicy(TablePolicy()), "other", name="drawn", temperature=temperature)


def test_a_checkpoint_that_draws_is_estimated_from_so_many_episodes(winnable) -> None:
    seeds = winnable[:6]
    for estimator in ("tree", "monte_carlo"):
        made = values(estimator, seeds, drawing(1.0))
        assert set(found(made, "p_expert", "n")) == {40}
        assert all(error > 0 for error in found(made, "p_expert", "se"))
        for seed, value in zip(seeds, found(made, "p_expert"), strict=True):
            adapted = TablePolicy()
            truth = brute_force(TinyWorld(), _Other(adapted), make_task(seed), (), 6)  # type: ignore[arg-type]
            assert abs(value - truth) < 4.5 * (0.25 / 40) ** 0.5
    greedy_ = values("tree", seeds, drawing(0.0))
    assert found(values("tree", seeds, drawing(1e-6)), "p_expert") == found(greedy_, "p_expert")
    assert set(found(greedy_, "p_expert", "n")) == {1}


class _Other:
    """The table policy with the adapter ``other`` on."""

    def __init__(self, policy: TablePolicy) -> None:
        self._policy = policy
        self.prompt = policy.prompt

    def _logp(self, prompt: str, commands: Sequence[str], adapter: None):
        return self._policy._logp(prompt, commands, "other")


def test_what_it_draws_depends_on_neither_order_nor_sharding() -> None:
    specs = [
        EpisodeSpec(f"{seed}/{repeat}", Start(make_task(seed)), behaviour="expert", repeat=repeat)
        for seed in range(6)
        for repeat in range(3)
    ]

    def run(some: list[EpisodeSpec]) -> pl.DataFrame:
        made = play(TablePolicy(), TinyWorld(), GAMES, some, PLAY, run_seed=1, expert=drawing(1.0))
        return made.episodes.sort("episode_id")

    whole = run(specs)
    parts = pl.concat([run(specs[::2][::-1]), run(specs[1::2])]).sort("episode_id")
    assert whole.equals(parts)
    assert whole.group_by("task_id").agg(pl.col("actions").n_unique())["actions"].max() > 1  # type: ignore[operator]


def test_setup_b_is_played_by_it_and_the_students_episodes_stay_as_they_are() -> None:
    rollouts = section("rollouts", episodes_per_task=2, expert_episodes_per_task=2, expert_noise=0.0)
    tasks = [make_task(seed) for seed in range(12)]

    def run(expert: object, section_: object = rollouts):
        return collect(
            TablePolicy(),
            TinyWorld(),
            GAMES,
            tasks,
            section_,
            max_steps=6,
            run_seed=1,
            expert=expert,  # type: ignore[arg-type]
        )

    oracle, lost = run(None), run(LOSER)
    own = [one.episodes.filter(behaviour="student") for one in (oracle, lost)]
    assert own[0].equals(own[1])
    theirs = lost.episodes.filter(behaviour="expert")
    assert set(theirs["model"]) == {"loser"}
    assert not theirs["success"].any()
    assert oracle.episodes.filter(behaviour="expert")["success"].any()


def test_recovery_is_continued_by_it(winnable) -> None:
    seeds = winnable[:20]
    tasks = {f"maze-{seed}": make_task(seed) for seed in seeds}
    starts = pl.DataFrame(
        {
            "task_id": list(tasks),
            "prefix": [[] for _ in seeds],
            "digest": [f"maze-{seed}:0" for seed in seeds],
            "snapshot_id": [f"s{seed}" for seed in seeds],
        },
        schema_overrides={"prefix": pl.List(pl.String)},
    )

    def run(expert: object, **more: int):
        return continue_with_expert(TinyWorld(), GAMES, tasks, starts, max_steps=9, expert=expert, **more)[0]  # type: ignore[arg-type]

    oracle, lost = run(None), run(LOSER)
    tables.conform(oracle, tables.CONTINUATIONS)
    assert oracle["success"].all()
    assert not lost["success"].any()
    assert lost["snapshot_id"].n_unique() == len(seeds) > 16, "more than play side by side"
    solver = ContextExpert(lambda turns: Oracle().commands(turns), name="copy", deterministic=True)  # type: ignore[arg-type,return-value]
    assert run(solver).equals(oracle), "side by side as one after the other"
    assert run(solver, enough=7).equals(run(None, enough=7))
    assert run(None, enough=7).height < oracle.height


def test_the_files_that_say_an_adapter_is_one(tmp_path: Path) -> None:
    from teachable.student.errors import StudentError
    from teachable.student.files import adapter_digest, check_adapter_files, is_adapter

    assert not is_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    assert is_adapter(tmp_path)
    with pytest.raises(StudentError, match=r"adapter_model\.safetensors is missing"):
        check_adapter_files(tmp_path)
    with pytest.raises(StudentError, match=r"cannot read adapter_model\.safetensors"):
        adapter_digest(tmp_path)
