"""Bit masks and planner against TextWorld's own state tracking and solver, on random walks."""

from __future__ import annotations

import json
import random

import pytest
import textworld
from textworld import EnvInfos
from textworld.logic import State

from teachable.worlds import get_world
from teachable.worlds.textworld.games import game_of
from teachable.worlds.textworld.ground import _fixpoint

INFOS = EnvInfos(admissible_commands=True, facts=True, policy_commands=True, score=True, won=True, lost=True)


@pytest.mark.filterwarnings("ignore:Game .* is not fully supported")
@pytest.mark.parametrize("family", ["easy", "medium", "nav", "hard", "treasure_hunter", "coin_collector"])
def test_same_facts_commands_and_dead_ends_as_textworld(games, family):
    world = get_world("textworld", prune=())
    compared = 0
    for task in games.of(family)[:2]:
        env = textworld.start(str(games.root / task.game), INFOS)
        for walk in range(2):
            theirs, rng = env.reset(), random.Random(walk)
            session = world.start(task, games.root)
            for _ in range(12):
                if session.state.done:
                    break
                offered = [
                    c for c in theirs.admissible_commands if c.split()[0] not in ("examine", "look", "inventory")
                ]
                assert [c for c in session.state.commands if c != "examine cookbook"] == offered
                facts = session._game.ground.holds(session._mode.facts)
                assert sorted(map(str, facts)) == sorted(map(str, theirs["_facts"]))
                plan = session._game.facets(session._mode).plan
                assert (plan is None) == (not theirs.policy_commands) == session.state.unwinnable
                if plan is not None:
                    assert len([c for c in plan if c != "examine cookbook"]) <= len(theirs.policy_commands)
                expert = session.expert_command()
                command = expert if expert and rng.random() < 0.5 else rng.choice(session.state.commands)
                if command.startswith("drink"):
                    break  # TextWorld does not notice drinking; see the test below
                state = session.step(command)
                theirs, _, _ = env.step(command)
                assert (theirs.score, theirs.won, theirs.lost) == (state.score, state.won, state.lost)
                compared += 1
            session.close()
        env.close()
    assert compared >= 10


def test_every_instance_of_every_rule_is_found(games):
    """Against TextWorld's own matcher, asked until nothing new comes."""
    for task in games.tasks:
        game = game_of(json.loads((games.root / task.game).with_suffix(".json").read_text()))
        rules = list(game.kb.rules.values())
        relaxed, known = State(game.kb.logic, game.world.facts), set(game.world.facts)
        while True:
            actions = set(relaxed.all_applicable_actions(rules, game.kb.types.constants_mapping))
            new = {fact for action in actions for fact in action.postconditions} - known
            if not new:
                break
            relaxed.add_facts(new)
            known |= new
        found_facts, found = _fixpoint(game, rules)
        assert found_facts == known
        assert set(found) == actions
        assert len(found) == len(actions)


def test_the_expert_wins_from_wherever_a_game_can_still_be_won(games):
    world, won = get_world("textworld", prune=()), 0
    for task in games.tasks:
        session = world.start(task, games.root)
        start = session.save()
        for seed in range(3):
            session.restore(start)
            rng = random.Random(seed)
            for _ in range(rng.randint(1, 12)):
                saved = session.save()
                if session.step(rng.choice(session.state.commands)).done:
                    session.restore(saved)
            while (command := session.expert_command()) is not None:
                session.step(command)
            assert session.state.won
            won += 1
        session.close()
    assert won == 3 * len(games.tasks)


def test_the_expert_depends_on_the_state_alone(games):
    for family in ("nav", "hard"):
        session = games.world.start(games.of(family)[0], games.root)
        start, advice = session.save(), {}
        for seed in range(8):
            session.restore(start)
            rng = random.Random(seed)
            for _ in range(12):
                digest, command = session.state.digest, session.expert_command()
                assert advice.setdefault(digest, command) == command
                if session.state.done:
                    break
                session.step(rng.choice(session.state.commands))
        session.close()
