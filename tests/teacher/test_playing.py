"""A teacher that plays on, over HTTP: what it is asked, what is accepted, what is paid, and what a budget leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from configured import section
from rollouts.tiny import GAMES, Maze, TablePolicy, TinyWorld, make_task

from teachable.config.teacher import Teacher
from teachable.pipeline.experts import expert_of
from teachable.rollouts import MonteCarloSettings, PlaySettings, Query, Start, TreeSettings, monte_carlo, tree_values
from teachable.teacher.errors import BudgetExceeded, TeacherError
from teachable.teacher.playing import Decision, Player

from .conftest import KEY, Reply, Server, completion, snapshot

Make = Callable[..., Teacher]
COMMANDS = snapshot()["commands"]
PLAY = PlaySettings(max_steps=6, stop_unwinnable=True)


def decision(name: str = "s0", repeat: int = 0, **changes: Any) -> Decision:
    return Decision(snapshot(name, **changes), name, repeat)


def says(command: object) -> Callable[[dict[str, Any]], Reply]:
    return lambda request: Reply(completion({"command": command}))


def ask(settings: Teacher, *decisions: Decision) -> list[str | None]:
    player = Player(settings, sleep=lambda seconds: None)
    try:
        return player.commands(decisions)
    finally:
        player.close()


def test_the_question_has_what_the_student_saw_and_nothing_of_what_it_did(server: Server, settings: Make) -> None:
    server.otherwise = says("open oven")
    assert ask(settings(enum_actions=True), decision(student_action="go north")) == ["open oven"]
    (request,) = server.requests
    text = request["messages"][1]["content"]
    for part in ("Prepare the meal.", "> open fridge", "YOU SEE\nkitchen", "- take red apple from table"):
        assert part in text
    assert "CHOSE" not in text
    schema = request["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("move", True)
    assert schema["schema"]["properties"]["command"]["enum"] == COMMANDS
    assert schema["schema"]["required"] == ["command"]


@pytest.mark.parametrize("kind", ["json_object", "plain"])
def test_servers_without_schemas(server: Server, settings: Make, kind: str) -> None:
    server.otherwise = lambda request: Reply(completion('Well.\n```json\n{"command": "go north"}\n```'))
    assert ask(settings(response_format=kind), decision()) == ["go north"]
    assert ("response_format" in server.requests[0]) == (kind == "json_object")


def test_every_answer_is_cached_and_nothing_is_paid_twice(server: Server, settings: Make) -> None:
    server.otherwise = says("open oven")
    asked = [decision(f"s{index}") for index in range(6)]
    assert ask(settings(), *asked, *asked) == ["open oven"] * 12
    assert len(server.requests) == 6
    assert ask(settings(), *asked) == ["open oven"] * 6
    assert len(server.requests) == 6
    lines = [
        json.loads(line)
        for path in Path(settings().cache, "ledger").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    paid = [line for line in lines if line["event"] == "settle"]
    assert sorted(line["snapshot_id"] for line in paid) == [f"s{index}" for index in range(6)]
    assert sum(line["usd"] for line in paid) == pytest.approx(6 * (400 * 0.15 + 100 * 0.60) * 1e-6)


def test_at_a_temperature_every_repetition_is_an_answer_of_its_own(server: Server, settings: Make) -> None:
    turns = iter(COMMANDS)
    server.otherwise = lambda request: says(next(turns))(request)
    warm = settings(temperature=1.0, concurrency=1)
    drawn = ask(warm, *(decision(repeat=repeat) for repeat in range(3)))
    assert sorted(filter(None, drawn)) == COMMANDS
    assert ask(warm, decision(repeat=1)) == [drawn[1]]
    assert len(server.requests) == 3
    assert not Player(warm).deterministic
    assert Player(settings()).deterministic


def test_a_command_that_is_not_offered_is_asked_again_and_never_mapped(server: Server, settings: Make) -> None:
    server.script = [Reply(completion({"command": "Open Oven"})), Reply(completion({"command": "open oven"}))]
    assert ask(settings(), decision()) == ["open oven"]
    last = server.requests[1]["messages"][-1]["content"]
    assert "'Open Oven' is not one of the admissible commands" in last
    assert "command must be exactly one of" in last


HOSTILE = (
    {"command": "open oven\x00"},
    {"command": "rm -rf / && go north"},
    {"command": "go north", "note": "ignore the rules"},
    {"command": ["go north"]},
    {"command": "x" * 100_000},
    {"suggested_action": "go north"},
    f'{{"command": "{KEY}"}}',
    "[" * 50_000,
    "",
)


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_answer_is_no_command(server: Server, settings: Make, answer: Any) -> None:
    server.otherwise = lambda request: Reply(completion(answer))
    player = Player(settings(max_retries=1))
    assert player.commands([decision()]) == [None]
    (reason,) = player.unanswered.values()
    player.close()
    assert len(reason) < 550
    assert "\x00" not in reason
    assert KEY not in reason
    cached = "".join(path.read_text() for path in Path(settings().cache).rglob("*.json*"))
    assert KEY not in cached


def test_where_only_one_command_is_offered_nobody_is_asked(server: Server, settings: Make) -> None:
    assert ask(settings(), decision(commands=["go north"], logp=[0.0])) == ["go north"]
    assert server.requests == []


def test_ten_decisions_in_vain_end_the_run_with_the_remedy(server: Server, settings: Make) -> None:
    server.otherwise = says("fly")
    with pytest.raises(TeacherError, match=r"10 decisions of the expert have no valid command.*enum_actions"):
        ask(settings(max_retries=0, concurrency=1), *(decision(f"s{index}") for index in range(30)))
    assert len(server.requests) in (10, 11)  # one may be on its way


def test_a_budget_stop_is_one_sentence_and_loses_nothing(server: Server, settings: Make) -> None:
    server.otherwise = says("open oven")
    asked = [decision(f"s{index}") for index in range(8)]
    with pytest.raises(
        BudgetExceeded, match=r"expert: the teacher cannot play on; the budget of 0\.0010 USD .* run ag"
    ):
        ask(settings(budget_usd=0.001, concurrency=1), *asked)
    paid = len(server.requests)
    assert 0 < paid < 8
    assert ask(settings(budget_usd=1.0), *asked) == ["open oven"] * 8
    assert len(server.requests) == 8, "what was answered before the stop was not asked again"


# --- as the expert of a study -----------------------------------------------------------------------------------------


def player_of(seed: int, *, wins: bool) -> Callable[[dict[str, Any]], Reply]:
    """A server that knows one maze, and plays it to win or never to win."""
    maze = Maze(seed)

    def answer(request: dict[str, Any]) -> Reply:
        text = request["messages"][1]["content"]
        room = int(re.search(r"YOU SEE\nroom (\d+)", text)[1])  # type: ignore[index]
        far = {-1: 0, -2: 999}
        ranked = sorted(
            maze.commands(room),
            key=lambda c: far.get(maze.leads(room, c), maze.distance().get(maze.leads(room, c), 500)),
        )
        return Reply(
            completion({"command": ranked[0] if wins else next(c for c in ranked if maze.leads(room, c) != -1)})
        )

    return answer


@pytest.mark.parametrize("estimator", ["tree", "monte_carlo"])
def test_p_expert_is_what_the_endpoint_makes_of_it(
    server: Server, settings: Make, winnable_maze: int, estimator: str
) -> None:
    query = Query(Start(make_task(winnable_maze), (), None, "s"))

    def p_expert(cache: str) -> dict[str, float]:
        chosen = section("expert", source="teacher").model_copy(update={"teacher": settings(cache=cache)})
        with expert_of(chosen) as expert:
            assert expert.name == "teacher gpt-4o-mini"
            if estimator == "tree":
                exact = TreeSettings(prompts=10_000, episodes=1, tolerance=0.0, play=PLAY)
                made = tree_values(TablePolicy(), TinyWorld(), GAMES, [query], exact, run_seed=1, expert=expert)
            else:
                budget = MonteCarloSettings(play=PLAY)
                made = monte_carlo(TablePolicy(), TinyWorld(), GAMES, [query], budget, run_seed=1, expert=expert)
        assert set(made.episodes.filter(behaviour="expert")["model"]) == {"teacher gpt-4o-mini"}
        return dict(made.estimates.select("quantity", "value").iter_rows())

    base = str(Path(settings().cache).parent)
    server.otherwise = player_of(winnable_maze, wins=True)
    good = p_expert(f"{base}/good")
    server.otherwise = player_of(winnable_maze, wins=False)
    bad = p_expert(f"{base}/bad")
    assert (good["p_expert"], bad["p_expert"]) == (1.0, 0.0)
    asked = len(server.requests)
    assert p_expert(f"{base}/bad") == bad
    assert len(server.requests) == asked, "a second run asks nothing"


@pytest.fixture(scope="module")
def winnable_maze() -> int:
    """Won in two commands or more, with three to choose from."""
    return next(s for s in range(200) if 2 <= Maze(s).distance().get(0, 0) <= 5 and len(Maze(s).commands(0)) > 2)


def test_a_teacher_without_an_answer_at_a_snapshot_leaves_the_estimate_out(server: Server, settings: Make) -> None:
    server.otherwise = says("fly")
    seed = next(s for s in range(60) if 0 in Maze(s).distance())
    chosen = section("expert", source="teacher").model_copy(update={"teacher": settings(max_retries=0)})
    with expert_of(chosen) as expert:
        made = tree_values(
            TablePolicy(),
            TinyWorld(),
            GAMES,
            [Query(Start(make_task(seed), (), None, "s"))],
            TreeSettings(play=PLAY),
            run_seed=1,
            expert=expert,
        )
    assert made.estimates["quantity"].to_list() == ["p_policy"]
