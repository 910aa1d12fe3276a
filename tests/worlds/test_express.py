"""TextWorldExpress: what a state shows, its expert, how games end, restoring by replay."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from teachable.worlds import InadmissibleCommand, MemoSession, RestoreMismatch, WorldError, get_words, get_world, replay
from teachable.worlds.files import load
from teachable.worlds.graph import cheapest
from teachable.worlds.textworld_express.facts import walk as things_in
from teachable.worlds.textworld_express.families import FAMILIES
from teachable.worlds.textworld_express.games import game_of
from teachable.worlds.textworld_express.scene import memo_of

FAILING = [name for name, family in FAMILIES.items() if family.can_fail]


def walk(session, rng, most=14):
    """Random commands, the expert's now and then; every state on the way with what led to it."""
    played, points = [], []
    for _ in range(rng.randint(1, most)):
        if session.state.done:
            break
        expert = session.expert_command()
        played.append(expert if expert and rng.random() < 0.4 else rng.choice(session.state.commands))
        session.step(played[-1])
        points.append((list(played), session.state, session.expert_command()))
    return points


@pytest.fixture(scope="module")
def points(express):
    """A random point of each of 204 walks: (task, commands, state, expert's command)."""
    rng, found = random.Random(0), []
    for task in express.tasks:
        session = express.world.start(task, express.root)
        start = session.save()
        for _ in range(204 // len(express.tasks) + 1):
            session.restore(start)
            found.append((task, *rng.choice(walk(session, rng))))
        session.close()
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_the_expert_wins_in_the_recorded_number_of_commands(express, family):
    for task in express.of(family):
        session = express.world.start(task, express.root)
        played = []
        while not session.state.done:
            played.append(session.expert_command())
            assert played[-1] in session.state.commands
            session.step(played[-1])
        assert session.state.won
        assert not session.state.unwinnable
        assert len(played) == task.expert_steps <= 15
        assert session.expert_command() is None
        assert session.state.commands == ()


def test_the_expert_wins_from_wherever_a_game_is_not_lost(express, points):
    won = 0
    for task, played, state, _ in points:
        if state.done:
            assert state.unwinnable == state.lost
            continue
        session = replay(express.world, task, express.root, played, state.digest)
        for _ in range(60):
            if session.state.done:
                break
            session.step(session.expert_command())
        assert session.state.won, (task.task_id, played)
        won += 1
    assert won > 50


def test_two_hundred_points_are_restored_exactly_in_another_process(express, points):
    rows = [[asdict(task), played, asdict(state), expert] for task, played, state, expert in points]
    assert len(rows) >= 200
    code = (
        "import json, sys; from dataclasses import asdict; from pathlib import Path\n"
        "from teachable.worlds import Task, get_world, replay\n"
        "world, equal = get_world('textworld_express'), 0\n"
        "for task, played, state, expert in json.load(sys.stdin):\n"
        "    session = replay(world, Task(**task), Path(sys.argv[1]), played, state['digest'])\n"
        "    same = json.loads(json.dumps(asdict(session.state))) == state\n"
        "    equal += same and session.expert_command() == expert\n"
        "    session.close()\n"
        "print(equal)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(express.root)], input=json.dumps(rows), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(rows)


def test_equal_digests_have_equal_futures(express):
    """However a state was reached: the same commands, the same advice, and the same next states and texts."""
    met = 0
    for family in FAMILIES:
        task, rng = express.of(family)[0], random.Random(1)
        session = express.world.start(task, express.root)
        start = session.save()
        states, futures = {}, {}
        for _ in range(25):
            session.restore(start)
            for _ in range(6):
                if session.state.done:
                    break
                here, expert = replace(session.state, observation=""), session.expert_command()
                command = rng.choice(session.state.commands)
                after = session.step(command)
                for table, key, value in (
                    (states, here.digest, (here, expert)),
                    (futures, (here.digest, command), after),
                ):
                    met += key in table
                    assert table.setdefault(key, value) == value, (task.task_id, key)
    assert met > 300


def test_the_order_of_harmless_commands_is_forgotten(express):
    task = express.of("easy")[0]
    ways = (("open cutlery drawer", "open dishwasher"), ("open dishwasher", "open cutlery drawer"))
    one, other = (replay(express.world, task, express.root, way).state for way in ways)
    assert one.digest == other.digest
    assert replace(one, observation="") == replace(other, observation="")
    assert one.observation != other.observation


@pytest.mark.parametrize("family", ["sorting", "simonsays", "coin", "peckingorder"])
def test_no_shorter_play_is_found_by_trying_everything(express, family):
    """Peckingorder's expert reads before each of its takings, which winning by luck does not need."""
    task = min(express.of(family), key=lambda task: task.expert_steps)
    session = express.world.start(task, express.root)
    points = {session.state.digest: session.save()}
    won = set()

    def steps(digest):
        for command in points[digest].state.commands:
            session.restore(points[digest])
            state = session.step(command)
            points.setdefault(state.digest, session.save())
            won.update([state.digest] if state.won else [])
            yield (command,), state.digest

    shortest = cheapest(task_digest := session.state.digest, steps, lambda digest: digest in won, budget=3000)
    assert task_digest in points
    reading = task.expert_steps // 2 if family == "peckingorder" else 0
    assert len(shortest) == task.expert_steps - reading


@pytest.mark.parametrize("family", FAMILIES)
def test_restoring_and_remembering_show_what_playing_shows(express, family):
    task, rng = express.of(family)[1], random.Random(2)
    plain, memo = (express.world.start(task, express.root) for _ in range(2))
    memo = MemoSession(memo)
    starts = plain.save(), memo.save()
    for _ in range(6):
        plain.restore(starts[0])
        memo.restore(starts[1])
        for _ in range(8):
            assert memo.state == plain.state
            assert memo.expert_command() == plain.expert_command()
            if plain.state.done:
                break
            command = rng.choice(plain.state.commands)
            plain.step(command)
            memo.step(command)
    assert memo.turns < 48


@pytest.mark.parametrize("family", FAILING)
def test_games_that_can_fail_do(express, family):
    task, rng = express.of(family)[0], random.Random(3)
    session = express.world.start(task, express.root)
    start = session.save()
    for _ in range(60):
        session.restore(start)
        for _ in range(40):
            if session.state.done:
                break
            expert = session.expert_command()
            others = [command for command in session.state.commands if command != expert]
            cruel = [command for command in others if command.startswith(("cook ", "slice ", "dice ", "chop ", "eat "))]
            session.step(rng.choice(cruel or others) if rng.random() < 0.5 and others else expert)
        if session.state.lost:
            break
    state = session.state
    assert state.lost
    assert state.unwinnable
    assert not state.won
    assert state.commands == ()
    assert session.expert_command() is None
    with pytest.raises(InadmissibleCommand, match="is over"):
        session.step("take apple")


def test_what_is_not_offered_changes_nothing(express):
    session = express.world.start(express.of("easy")[0], express.root)
    before = session.state
    for command in ("fly", "look around", "inventory", "examine stove", ""):
        with pytest.raises(InadmissibleCommand, match=session.task.task_id):
            session.step(command)
    assert session.state == before
    assert list(before.commands) == sorted(set(before.commands))


def test_a_document_is_offered_until_it_is_known(express):
    session = express.world.start(express.of("easy")[0], express.root)
    assert session.state.memo == ""
    session.step("read cookbook")
    assert session.state.memo.startswith("ingredients: ")
    assert "directions: " in session.state.memo
    assert session.state.memo.endswith("prepare meal")
    assert "read cookbook" not in session.state.commands


def test_instructions_are_forgotten_when_they_are_done(express):
    session = express.world.start(express.of("peckingorder")[0], express.root)
    session.step("read instructions book")
    told = session.state.memo
    session.step(session.expert_command())
    assert session.state.memo == ""
    assert session.expert_command() == "read instructions book"
    session.step("read instructions book")
    assert session.state.memo not in ("", told)


def test_a_scene_tells_what_is_visible_and_nothing_else(express):
    told = kept = 0
    for task in express.tasks:
        session = express.world.start(task, express.root)
        while not session.state.done:
            facts, _ = session._engine.facts()
            visible, hidden = set(), set()
            for room in facts.rooms.values() if facts else ():
                for name in {thing.name for _, thing in things_in(room.things)}:
                    for where, inside, thing in facts.find(name):
                        seen = where == facts.here and all(outer.open for outer in inside)
                        if seen and (thing.words & {"movable", "readable"} or thing.holder):
                            visible.add(name)
                        elif not seen:
                            hidden.add(name)
            assert all(re.search(rf"\b{name}\b", session.state.scene) for name in visible), session.state.scene
            carried = {thing.name for thing in facts.carried} if facts else set()
            for name in hidden - visible - carried:
                kept += 1
                assert not re.search(rf"[:,;] {name}(,|;| \||$)", session.state.scene), session.state.scene
            told += len(visible)
            words = get_words("textworld_express")
            assert not facts or words.place_of(session.state.scene) == facts.here
            session.step(session.expert_command())
    assert min(told, kept) > 100


def test_pruned_verbs_come_back_when_asked_for(express):
    everything = get_world("textworld_express", prune=[])
    task = express.of("easy")[0]
    take = next(c for c in express.world.start(task, express.root).state.commands if c.startswith("take "))
    pruned, full = (replay(world, task, express.root, [take]).state for world in (express.world, everything))
    assert not any(command.startswith(("put ", "close ")) for command in pruned.commands)
    assert any(command.startswith("put ") for command in full.commands)
    needed = replay(express.world, express.of("mapreader")[0], express.root, ["read map"]).state
    assert "put map in box" in needed.commands or "box" not in needed.scene


def test_a_wrong_prefix_or_game_is_never_silent(express, tmp_path):
    task = express.of("easy")[0]
    with pytest.raises(RestoreMismatch, match=f"{task.task_id}.*digest"):
        replay(express.world, task, express.root, ["read cookbook"], "0" * 32)
    with pytest.raises(RestoreMismatch, match="command 1 of 1"):
        replay(express.world, task, express.root, ["fly"])
    other = replace(load(task, express.root, game_of), structure="0" * 64)
    (tmp_path / "other.json").write_text(other.text())
    with pytest.raises(WorldError, match="holds another game"):
        express.world.start(replace(task, game="other.json"), tmp_path)
    with pytest.raises(WorldError, match="makes another game of these numbers"):
        express.world.start(replace(task, game="other.json", digest=other.digest), tmp_path)


def test_what_words_mean() -> None:
    words = get_words("textworld_express")
    assert words.skill_of("cook red apple in barbeque") == "grill"
    assert words.skill_of("cook red apple in stove") == "stove"
    assert words.is_move("move north")
    assert not words.is_move("open door to north")
    assert words.progress.search("You take the coin.")
    assert words.refused.search("You can't move there, the door is closed.")
    assert memo_of("Take\n  it. ") == "Take it."
