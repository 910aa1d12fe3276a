"""'No expert here' is an answer: nothing forced, no advice, no label, and a count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from configured import section

from teachable.labels.label import label
from teachable.rollouts import (
    MonteCarloSettings,
    PlaySettings,
    Query,
    Start,
    TreeSettings,
    monte_carlo,
    tree_values,
)
from teachable.rollouts.expert import Oracle
from teachable.rollouts.sessions import Environments
from teachable.rollouts.values import NO_EXPERT, expert_actions
from teachable.teacher import advise
from teachable.worlds import Task
from teachable.worlds.words import explain

from .tiny import GAMES, Maze, MazeSession, TablePolicy, TinyWorld, make_task, patches_for

PLAY = PlaySettings(max_steps=6, stop_unwinnable=True)


class LostSession(MazeSession):
    """Knows no command in the first room."""

    def expert_command(self) -> str | None:
        return None if self.room == 0 else super().expert_command()


@dataclass
class LostWorld(TinyWorld):
    def start(self, task: Task, games: Path) -> MazeSession:
        return LostSession(task, Maze(task.seed, self.rooms, self.width), self)


def query(seed: int) -> Query:
    return Query(Start(make_task(seed), (), f"maze-{seed}:0", f"s{seed}"), patches_for(Maze(seed).commands(0)))


def seeds_where(winnable: bool) -> list[int]:
    return [seed for seed in range(60) if (0 in Maze(seed).distance()) == winnable][:3]


def test_it_is_told_from_a_dead_end() -> None:
    alive, dead = seeds_where(True), seeds_where(False)
    asked = [query(seed) for seed in (*alive, *dead)]
    with Environments(LostWorld(), GAMES) as opened:
        assert expert_actions(opened, asked, Oracle()) == [NO_EXPERT] * len(alive) + [None] * len(dead)


@pytest.mark.parametrize("estimator", ["tree", "monte_carlo"])
def test_what_needs_an_expert_is_not_estimated_and_all_else_is(estimator: str) -> None:
    asked = [query(seed) for seed in seeds_where(True)]

    def values(world: TinyWorld) -> pl.DataFrame:
        if estimator == "tree":
            made = tree_values(TablePolicy(), world, GAMES, asked, TreeSettings(play=PLAY), run_seed=1)
        else:
            made = monte_carlo(TablePolicy(), world, GAMES, asked, MonteCarloSettings(play=PLAY), run_seed=1)
        assert made.faults == {}
        return made.estimates

    without, with_expert = values(LostWorld()), values(TinyWorld())
    rest = with_expert.filter(~pl.col("quantity").is_in(["p_force", "p_expert"]))
    assert without["quantity"].to_list() == rest["quantity"].to_list()
    assert set(with_expert["quantity"]) - set(without["quantity"]) == {"p_force", "p_expert"}


def snapshot(name: str) -> dict[str, object]:
    commands = ["go a", "go b"]
    return {
        "snapshot_id": name, "task_id": f"t{name}", "family": "maze", "source": "student", "kind": "failure",
        "episode_id": f"e{name}", "step": 0, "distance": 1, "prefix": [], "digest": name, "goal": "get out",
        "memo": "", "scene": "room 0", "observation": "begin", "history": [], "commands": commands,
        "logp": [-0.7, -0.7], "student_action": "go b",
    }  # fmt: skip


def test_it_gets_no_advice_and_is_counted_apart_from_dead_ends() -> None:
    from teachable.tables import ESTIMATES, SNAPSHOTS

    frame = pl.DataFrame([snapshot(name) for name in ("known", "alone", "dead")], schema=dict(SNAPSHOTS))
    actions: dict[str, str | None] = {"known": "go a", "alone": None, "dead": None}
    advice = advise.advise_snapshots(frame, actions, section("teacher"), explain=explain, no_expert={"alone"})
    assert advice["valid"].to_list() == [True, False, False]
    assert advice["unwinnable"].to_list() == [False, False, True]
    assert advice["reason"].to_list() == [None, advise.NO_EXPERT, advise.DEAD_END]
    estimates = [
        {"snapshot_id": name, "quantity": f"p_{quantity}", "value": 0.5, "se": 0.1, "n": 4, "estimator": "monte_carlo"}
        for name in ("known", "alone", "dead")
        for quantity in ("policy", "force", "expert", "base", "placebo", "demo", "contrast", "hint")
        if name != "alone" or quantity not in ("force", "expert")
    ]
    labeled, counts = label(frame, advice, pl.DataFrame(estimates, schema=dict(ESTIMATES)), section("labels"))
    assert {name: counts[name] for name in ("no_expert", "advice_invalid", "without_estimates", "labelled")} == {
        "no_expert": 1,
        "advice_invalid": 1,
        "without_estimates": 0,
        "labelled": 1,
    }
    alone = labeled.filter(snapshot_id="alone").row(0, named=True)
    assert (alone["expert_action"], alone["L_local"], alone["quadrant"]) == (None, None, None)


def test_no_endpoint_is_asked_about_it() -> None:
    from teachable.tables import SNAPSHOTS

    frame = pl.DataFrame([snapshot("alone")], schema=dict(SNAPSHOTS))
    settings = section("teacher", source="openai", api_key_env="", base_url="http://127.0.0.1:9/v1", max_retries=0)
    advice = advise.advise_snapshots(frame, {"alone": None}, settings, explain=explain, no_expert={"alone"})
    assert (advice["reason"][0], advice["attempts"][0]) == (advise.NO_EXPERT, 0)
