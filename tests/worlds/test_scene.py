"""The scene says what `look` and `inventory` say, no more and no less."""

from __future__ import annotations

import random
import re

import pytest

from teachable.worlds import get_world
from teachable.worlds.textworld.ground import GroundGame

STATES = "chopped|sliced|diced|raw|burned|fried|roasted|grilled"
DIRECTIONS = ("north", "south", "east", "west")


def parts(scene: str) -> tuple[str, list[str], str, list[str]]:
    """Room, (furniture and things), exits, carried things."""
    room, seen, exits, carried = scene.split(" | ")
    things = [thing for group in seen.split("; ") for thing in re.split(r": |, (?![^(]*\))", group)]
    hands = re.split(r", (?![^(]*\))", carried.removeprefix("you have: "))
    return room, things, exits.removeprefix("exits: "), hands


def spoken(thing: str) -> str:
    """`red potato (diced, raw)` as the engine prints it: `diced raw red potato`."""
    match = re.fullmatch(r"(.*) \((.*)\)", thing)
    if match is None or match[2] in ("open", "closed", "locked"):
        return match[1] if match else thing
    return f"{match[2].replace(', ', ' ')} {match[1]}"


def ask(session, command: str) -> str:
    image = session._engine.save()
    text = session._engine.send(command).text
    session._engine.restore(image)
    return text


@pytest.mark.parametrize("family", ["easy", "medium", "nav", "hard", "treasure_hunter", "coin_collector"])
def test_scene_agrees_with_look_and_inventory(games, family):
    world = get_world("textworld", prune=())
    for task in games.of(family)[:2]:
        session = world.start(task, games.root)
        ground: GroundGame = session._game.ground
        portable = {
            ground.names[v.name]
            for fact in ground.facts
            for v in fact.arguments
            if ground.is_a(v.type, "o") and v.name in ground.names
        }
        rng = random.Random(task.seed)
        for _ in range(25):
            if session.state.done:
                break
            look, inventory = ask(session, "look"), ask(session, "inventory")
            room, seen, exits, hands = parts(session.state.scene)
            assert look.lower().startswith(f"-= {room} =-")
            for thing in seen:
                if thing not in ("nothing", "floor"):
                    assert spoken(thing) in look, (thing, look)
            for thing in hands:
                if thing != "nothing":
                    assert spoken(thing) in inventory, (thing, inventory)
            names = {spoken(thing) for thing in seen + hands}
            for name in portable:
                for words in re.findall(rf"((?:(?:{STATES}) )*)\b{re.escape(name)}\b", look + inventory):
                    longer = any(other.endswith(f" {name}") for other in portable)
                    assert words + name in names or longer, (words, name, session.state.scene)
            told = {word for word in DIRECTIONS if re.search(rf"\b{word}\b", look)}
            assert told == {word for word in DIRECTIONS if re.search(rf"\b{word}\b", re.sub(r"\(.*?\)", "", exits))}
            for state, door in re.findall(r"\((open|closed|locked) (.*?)\)", exits):
                assert f"{state} {door}" in look
            expert = session.expert_command()
            session.step(expert if expert and rng.random() < 0.3 else rng.choice(session.state.commands))
        session.close()


def test_scene_is_compact_and_the_same_for_the_same_state(games):
    for task in games.tasks:
        session = games.world.start(task, games.root)
        words = [len(session.state.scene.split())]
        while not session.state.done:
            scene, digest = session.state.scene, session.state.digest
            saved = session.save()
            session.step(session.expert_command())
            session.restore(saved)
            assert (session.state.scene, session.state.digest) == (scene, digest)
            words.append(len(session.step(session.expert_command()).scene.split()))
        assert max(words) <= 90
        session.close()


def test_closed_containers_hide_their_contents(games):
    for task in games.of("easy"):
        session = games.world.start(task, games.root)
        assert "fridge (closed)" in session.state.scene
        opened = session.step("open fridge").scene
        revealed = re.search(r"fridge \(open\): ([^;|]*)", opened)
        if revealed:
            first = revealed[1].split(", ")[0].split(" (")[0]
            assert first not in games.world.start(task, games.root).state.scene
