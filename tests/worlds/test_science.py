"""ScienceWorld: what a state shows, its expert, how games end, restoring by replay."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from teachable.worlds import (
    EngineFault,
    InadmissibleCommand,
    MemoSession,
    RestoreMismatch,
    WorldError,
    get_words,
    get_world,
    replay,
)
from teachable.worlds.files import load
from teachable.worlds.java import require
from teachable.worlds.registry import OptionError
from teachable.worlds.scienceworld.commands import VERBS, split_move
from teachable.worlds.scienceworld.engine import Engine
from teachable.worlds.scienceworld.engines import Engines
from teachable.worlds.scienceworld.expert import DOORS, way
from teachable.worlds.scienceworld.families import FAMILIES
from teachable.worlds.scienceworld.games import game_of
from teachable.worlds.scienceworld.reasons import explain
from teachable.worlds.scienceworld.scene import scene_of

LOOK = (
    "This room is called the bedroom. In it, you see: \n\tthe agent\n\ta substance called air\n"
    "\ta bed. On the bed is: a mattress. On the mattress is: a white pillow..\n"
    "\ta closet. The closet door is open. In the closet is: nothing.\n\ta fridge. The fridge door is closed. \n"
    "\ta stove, which is turned on. On the stove is: nothing.\n"
    "\ta bowl (containing a red apple, a cup (containing nothing))\n"
    "\ta substance called soap\nYou also see:\n\tA door to the hallway (that is open)\n"
)


def walk(session, rng, most):
    """Random commands, the expert's every second time; the commands played."""
    played = []
    for _ in range(most):
        if session.state.done:
            break
        expert = session.expert_command()
        played.append(expert if expert and rng.random() < 0.5 else rng.choice(session.state.commands))
        session.step(played[-1])
    return played


@pytest.fixture(scope="module")
def points(science):
    """Random points of all games, which take turns at the one machine: (task, commands, state, expert's command)."""
    rng, found = random.Random(0), []
    sessions = [science.world.start(task, science.root) for task in science.tasks]
    starts = [session.save() for session in sessions]
    for _ in range(2):
        for session, start in zip(sessions, starts, strict=True):
            session.restore(start)
            played = walk(session, rng, rng.randint(1, 7))
            found.append((session.task, played, session.state, session.expert_command()))
    for session in sessions:
        session.close()
    return found


def test_the_expert_wins_in_the_recorded_number_of_commands(science):
    for task in science.tasks:
        session, played = science.world.start(task, science.root), []
        while not session.state.done:
            played.append(session.expert_command())
            assert played[-1] in session.state.commands
            session.step(played[-1])
        assert session.state.won
        assert session.state.score == 1.0
        assert len(played) == task.expert_steps <= 15
        assert session.expert_command() is None
        assert session.state.commands == ()
        session.close()


def test_the_gold_path_is_offered_and_wins(science):
    for family in FAMILIES:
        task = science.of(family)[0]
        session = replay(science.world, task, science.root, load(task, science.root, game_of).gold)
        assert session.state.won
        assert task.expert_steps <= len(session._at.played)
        session.close()


def test_the_expert_wins_from_wherever_it_knows_a_command(science, points):
    won = tried = 0
    for task, played, state, expert in points:
        assert state.unwinnable == state.lost
        if state.done or expert is None:
            continue
        session = replay(science.world, task, science.root, played, state.digest)
        for _ in range(15):
            if session.state.done or session.expert_command() is None:
                break
            session.step(session.expert_command())
        tried, won = tried + 1, won + session.state.won
        session.close()
    assert tried >= 5
    assert won >= 0.9 * tried


def test_points_are_restored_exactly_in_another_process(science, points):
    rows = [[asdict(task), played, asdict(state), expert] for task, played, state, expert in points]
    code = (
        "import json, sys; from dataclasses import asdict; from pathlib import Path\n"
        "from teachable.worlds import Task, get_world, replay\n"
        "world, equal = get_world('scienceworld'), 0\n"
        "for task, played, state, expert in json.load(sys.stdin):\n"
        "    session = replay(world, Task(**task), Path(sys.argv[1]), played, state['digest'])\n"
        "    same = json.loads(json.dumps(asdict(session.state))) == state\n"
        "    equal += same and session.expert_command() == expert\n"
        "    session.close()\n"
        "print(equal)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(science.root)], input=json.dumps(rows), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(rows) >= 16


def test_restoring_and_remembering_show_what_playing_shows(science):
    task, rng = science.of("find-animal")[1], random.Random(2)
    plain, memo = science.world.start(task, science.root), MemoSession(science.world.start(task, science.root))
    starts = plain.save(), memo.save()
    for _ in range(3):
        plain.restore(starts[0])
        memo.restore(starts[1])
        for _ in range(5):
            assert memo.state == plain.state
            assert memo.expert_command() == plain.expert_command()
            if plain.state.done:
                break
            command = plain.expert_command() if rng.random() < 0.5 else rng.choice(plain.state.commands)
            plain.step(command)
            memo.step(command)
    assert memo.turns < 15


def test_going_to_and_fro_plays_from_the_start_once_a_branch(science):
    game = load(science.of("lifespan-shortest-lived")[0], science.root, game_of)
    engines = Engines(Engine(game.family, game.variation, game.simplifications), limit=2)
    one, other, third = (), game.gold[:1], ("wait1",)
    assert [engines.bring(way)[1] for way in (other, third, other, third)] == [True, True, False, False]
    looks = {way: engines.bring(way)[0].reply.look for way in (other, third)}
    assert [engines.bring(way)[1] for way in (one, other)] == [True, False]
    assert engines.bring(other)[0].reply.look == looks[other]
    engines.close()
    engines.close()
    with pytest.raises(EngineFault, match="closed"):
        engines.bring(third)


def test_a_wrong_focus_loses(science):
    session = science.world.start(science.of("lifespan-longest-lived")[0], science.root)
    wrong = next(c for c in session.state.commands if c.startswith("focus on "))
    assert wrong != session.expert_command()
    state = session.step(wrong)
    assert (state.lost, state.unwinnable, state.won, state.score) == (True, True, False, -1.0)
    assert state.commands == ()
    assert session.expert_command() is None
    with pytest.raises(InadmissibleCommand, match="is over"):
        session.step(wrong)
    session.close()


def test_the_expert_goes_on_with_another_right_thing_and_comes_back_to_it(science):
    """Any thing that does not live will do; only what is in focus is found in the box."""
    task = science.of("find-non-living-thing")[0]
    session = science.world.start(task, science.root)
    first = session.expert_command()
    chosen = [c.removeprefix("pick up ") for c in session.state.commands if c.startswith("pick up ")]
    name = next((name for name in chosen if f"focus on {name}" in session.state.commands), None)
    while name is None:
        session.step(session.expert_command())
        chosen = [c.removeprefix("pick up ") for c in session.state.commands if c.startswith("pick up ")]
        name = next((name for name in chosen if f"focus on {name}" in session.state.commands), None)
    session.step(f"focus on {name}")
    assert not session.state.done
    assert session.expert_command() in (f"pick up {name}", *session.state.commands)
    other = next(c for c in session.state.commands if c.startswith("focus on ") and c != f"focus on {name}")
    session.step(other)
    assert session.expert_command() == f"focus on {name}"
    while not session.state.done:
        session.step(session.expert_command())
    assert session.state.won
    assert first is not None
    session.close()


def test_commands_are_the_engines_valid_ones_about_things_in_reach(science):
    """Neither more nor less, by verb and objects, than the package's own list has of these verbs about these things."""
    starts = [VERBS[verb].start for verb in science.world.verbs]
    compared = 0
    for family in ("find-plant", "find-non-living-thing"):
        session = science.world.start(science.of(family)[0], science.root)
        while not session.state.done:
            reach, commands = session._at.reach, session.state.commands
            assert list(commands) == sorted(set(commands))
            assert len(commands) < 130
            engine = session._engine
            engine._seed()
            listed = json.loads(engine._call(engine._server.getValidActionObjectCombinationsJSON))["validActions"]
            valid = {(start, *one["obj_ids"]) for one in listed for start in starts if one["action"].startswith(start)}
            offered = set()
            for command in commands:
                start = next(start for start in starts if command.startswith(start))
                rest = command.removeprefix(start)
                ids = [tuple(map(reach.id, pair)) for pair in split_move(command)] if start == "move " else []
                offered.add((start, *next((pair for pair in ids if None not in pair), (reach.id(rest),))))
            assert {one for one in offered if not reach.held & {*one}} <= valid
            going = {one[1] for one in valid if one[0] == "go to "}
            dropped = {*going, *(id for id, name in reach.names.items() if name in ("air", "agent", reach.room))}
            wanted = {one for one in valid if {*one[1:]} <= {*reach.names} - dropped and one[0] != "move "}
            wanted |= {
                one
                for one in valid
                if one[0] == "move " and {*one[1:]} <= {*reach.names} - dropped and reach.name(one[2]).endswith("box")
            }
            assert wanted <= offered
            compared += len(offered)
            session.step(session.expert_command())
        session.close()
    assert compared > 200


def test_more_verbs_and_places_come_when_asked_for(science):
    verbs = ["go", "focus", "take", "move", "open", "close", "drop", "read", "eat", "wait"]
    everything = get_world("scienceworld", verbs=verbs, holders=[])
    task = science.of("find-non-living-thing")[0]
    few, many = (world.start(task, science.root) for world in (science.world, everything))
    assert {*few.state.commands} < {*many.state.commands}
    starts = tuple(VERBS[verb].start for verb in ("go", "focus", "take", "move", "open"))
    assert all(command.startswith(starts) for command in few.state.commands)
    assert all(c.endswith("box") for c in few.state.commands if c.startswith("move "))
    assert "wait1" in many.state.commands
    assert any(c.startswith("put down ") for c in many.state.commands)
    many.step("wait1")
    few.close()
    many.close()
    with pytest.raises(OptionError, match="no task can be done without focus"):
        get_world("scienceworld", verbs=["go", "take", "move"])
    with pytest.raises(OptionError, match="verbs"):
        get_world("scienceworld", verbs=["fly"])


def test_what_is_not_offered_changes_nothing(science):
    session = science.world.start(science.of("find-plant")[0], science.root)
    before = session.state
    for command in ("fly", "look around", "inventory", "teleport to kitchen", "0", ""):
        with pytest.raises(InadmissibleCommand, match=session.task.task_id):
            session.step(command)
    assert session.state == before
    session.close()


def test_a_wrong_prefix_or_game_is_never_silent(science, tmp_path):
    task = science.of("find-animal")[0]
    step = load(task, science.root, game_of).gold[0]
    with pytest.raises(RestoreMismatch, match=f"{task.task_id}.*digest"):
        replay(science.world, task, science.root, [step], "0" * 32)
    with pytest.raises(RestoreMismatch, match="command 1 of 1"):
        replay(science.world, task, science.root, ["fly"])
    other = replace(load(task, science.root, game_of), structure="0" * 64)
    (tmp_path / "other.json").write_text(other.text())
    with pytest.raises(WorldError, match="holds another game"):
        science.world.start(replace(task, game="other.json"), tmp_path)
    with pytest.raises(WorldError, match="makes another game of these numbers"):
        science.world.start(replace(task, game="other.json", digest=other.digest), tmp_path)
    with pytest.raises(WorldError, match="is missing"):
        science.world.start(replace(task, game="none.json"), tmp_path)
    for text in ("{", "[]", '{"focus": [], "box": null, "simplifications": [], "gold": [], "family": "chess"}'):
        (tmp_path / "game.json").write_text(text)
        with pytest.raises(EngineFault, match="is damaged"):
            science.world.start(replace(task, game="game.json"), tmp_path)


def test_a_machine_that_dies_is_a_fault_and_sessions_come_back(science):
    one, other = (science.world.start(task, science.root) for task in science.of("find-animal"))
    process = one._engine._machine.process
    assert other._engine._machine.process is process
    other.step(other.expert_command())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(EngineFault, match=f"{one.task.task_id}: .*ended unexpectedly"):
        one.step(one.expert_command())
    while not other.state.done:
        other.step(other.expert_command())
    assert other.state.won
    one.step(one.expert_command())
    one.close()
    one.close()
    for action in (lambda: one.step(one.state.commands[0]), lambda: one.restore(one.save())):
        with pytest.raises(EngineFault, match=f"{one.task.task_id}.*closed"):
            action()
    other.close()


def test_a_scene_is_short_and_leaves_out_what_says_nothing() -> None:
    assert scene_of(LOOK, "In your inventory, you see:\n\tan orange\n") == (
        "bedroom | bed: mattress: white pillow; bowl: red apple, cup; closet (open); fridge (closed); soap; stove (on) "
        "| exits: hallway | you have: orange"
    )
    assert scene_of(LOOK, "").endswith("you have: nothing")


def test_no_package_is_one_sentence_with_the_remedy(monkeypatch, tmp_path) -> None:
    with pytest.raises(WorldError, match=r"pip install 'teachable-moments\[no-such"):
        require("scienceworld", "no-such-world")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(WorldError, match=r"'scienceworld' needs"):
        require("scienceworld", "py4j")


def test_every_room_can_be_reached_from_every_other() -> None:
    rooms = {room for door in DOORS for room in door}
    assert len(rooms) == 10
    for here in rooms:
        for there in rooms:
            plan = way(here, there)
            assert plan is not None
            assert len(plan) <= 4
    assert way("attic", "kitchen") is None


def test_what_words_mean() -> None:
    words = get_words("scienceworld")
    assert words.skill_of("pick up egg turtle") == "pick"
    assert words.verb_of("focus on egg turtle") == "focus"
    assert words.is_move("go to hallway")
    assert not words.is_move("move bowl to red box")
    assert words.progress.search("You focus on the dove egg.")
    assert words.refused.search("The door is already open.")


@pytest.mark.parametrize(
    ("suggested", "bad", "kind", "said"),
    [
        ("focus on dove", "focus on axe", "attribute_confusion", "wrong thing"),
        ("go to kitchen", "focus on axe", "attribute_confusion", "not the time"),
        ("go to kitchen", "go to foundry", "exploration_failure", "wrong way"),
        ("pick up dove", "go to foundry", "exploration_failure", "still to do here"),
        ("move dove to red box", "move dove to bowl", "attribute_confusion", "not belong there"),
        ("pick up dove", "open fridge", "planning_error", "not needed now"),
        ("pick up dove", "wait1", "affordance_miss", "nothing done"),
    ],
)
def test_what_is_wrong_with_a_command(suggested, bad, kind, said):
    found = explain(suggested, bad, memo="", goal="", scene="")
    assert found.error_type == kind
    assert any(said in text for text in found.why_bad)
    assert not any(suggested in text for text in found.diagnosis)
