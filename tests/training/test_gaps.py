"""Skills and gaps: what a command exercises, and what a demonstrator without it does."""

from __future__ import annotations

import numpy as np
import pytest

from teachable.rollouts.sessions import Environment
from teachable.training.gaps import Gap, demonstrated
from teachable.worlds.textworld.entry import WORLD
from teachable.worlds.textworld.families import FAMILIES
from teachable.worlds.textworld.words import WORDS

COMMANDS = (
    "cook apple with oven",
    "cook apple with stove",
    "eat apple",
    "examine cookbook",
    "open fridge",
    "take knife",
)
RIGHT = COMMANDS[0]
LOSING = ("cook apple with stove", "eat apple")


def trial(command: str) -> tuple[bool, bool]:
    assert command != RIGHT
    return command not in LOSING, command != "examine cookbook"


def act(gaps: dict[str, Gap], seed: int = 0, commands: tuple[str, ...] = COMMANDS) -> str:
    return demonstrated(RIGHT, WORDS.skill_of(RIGHT), commands, gaps, trial, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("command", "skill"),
    [
        ("cook red apple with oven", "oven"),
        ("cook red apple with stove", "stove"),
        ("cook red apple with BBQ", "grill"),
        ("cook red apple", "cook"),
        ("open oven", "open"),
        ("take oven mitt from stove", "take"),
        ("Slice carrot with knife", "slice"),
        ("go north", "go"),
        ("", ""),
    ],
)
def test_a_skill_is_a_verb_or_what_is_cooked_with(command: str, skill: str) -> None:
    assert WORDS.skill_of(command) == skill


def test_every_step_of_the_expert_is_a_skill_that_can_be_named_in_the_configuration(games) -> None:
    found = set()
    for task in games.tasks:
        if FAMILIES[task.family].challenge != "cooking":
            continue
        environment = Environment(games.world, games.root, task)
        moment = environment.start()
        while (command := environment.expert(moment)) is not None and not moment.state.done:
            found.add(WORDS.skill_of(command))
            moment = environment.step(moment, command)
        environment.close()
    assert {"go", "take", "open", "prepare", "eat", "examine"} <= found <= set(WORLD.skills)


def test_a_habit_is_the_idle_command_and_the_first_harmless_one_where_none_is_idle() -> None:
    habit = {"oven": Gap(0.0, "habit")}
    assert {act(habit, seed) for seed in range(20)} == {"examine cookbook"}
    rest = tuple(command for command in COMMANDS if command != "examine cookbook")
    assert {act(habit, seed, rest) for seed in range(20)} == {"open fridge"}
    assert act(habit, 0, tuple(reversed(rest))) == "open fridge"


def test_dithering_takes_every_harmless_command_about_equally_often() -> None:
    taken = [act({"oven": Gap(0.0, "dither")}, seed) for seed in range(600)]
    assert set(taken) == set(COMMANDS) - {RIGHT, *LOSING}
    assert all(taken.count(command) == pytest.approx(200, abs=45) for command in set(taken))


def test_where_everything_else_does_harm_the_right_thing_is_done() -> None:
    assert act({"oven": Gap(0.0, "habit")}, 0, (RIGHT, *LOSING)) == RIGHT
    assert act({"oven": Gap(0.0, "dither")}, 0, (RIGHT,)) == RIGHT


def test_other_skills_and_known_needs_are_done_rightly_without_a_trial() -> None:
    def never(command: str) -> tuple[bool, bool]:
        raise AssertionError(command)

    for gaps in ({}, {"stove": Gap(0.0, "habit")}, {"oven": Gap(1.0, "habit")}):
        assert demonstrated(RIGHT, WORDS.skill_of(RIGHT), COMMANDS, gaps, never, np.random.default_rng(0)) == RIGHT


def test_the_same_numbers_are_drawn_whatever_is_found() -> None:
    left = []
    for gaps in ({}, {"oven": Gap(1.0, "habit")}, {"oven": Gap(0.0, "dither")}):
        generator = np.random.default_rng(3)
        demonstrated(RIGHT, WORDS.skill_of(RIGHT), COMMANDS, gaps, trial, generator)
        left.append(generator.random())
    assert len(set(left)) == 1
