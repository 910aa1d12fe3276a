"""The oracle says true things in short words, and its hints keep the command to themselves."""

from __future__ import annotations

import itertools

import polars as pl
import pytest
from configured import section

from teachable import tables
from teachable.supervision import AdviceText, patches
from teachable.teacher.advice import ERROR_TYPES, names_action
from teachable.teacher.advise import DEAD_END, advise_snapshots
from teachable.teacher.errors import TeacherError
from teachable.teacher.oracle import Reading, advise
from teachable.worlds.textworld.reasons import explain, understand

from .conftest import snapshot, snapshots

MEMO = "ingredients: red apple, pork chop; directions: slice the red apple, roast the red apple, fry the pork chop"
SCENE = "kitchen | counter: red apple (sliced, roasted), pork chop (raw); fridge (closed) | exits: north"
COMMANDS = [
    "examine cookbook",
    "go north",
    "go south",
    "open fridge",
    "open wooden door",
    "unlock box with key",
    "take red apple",
    "take pork chop from fridge",
    "take milk from fridge",
    "take knife from table",
    "take cookbook from table",
    "slice red apple with knife",
    "dice red apple with knife",
    "chop pork chop with knife",
    "cook red apple with oven",
    "cook pork chop with stove",
    "cook pork chop with oven",
    "cook milk with BBQ",
    "cook meal with oven",
    "prepare meal",
    "eat meal",
    "eat red apple",
    "drop knife",
    "insert key into lock",
    "close fridge",
    "take",
    "wait",
    "look",
    "closed",
    "step",
    "left",
]


def read(good: str, bad: str, memo: str = MEMO, scene: str = SCENE, key: str = "k") -> Reading:
    return advise(explain, good, bad, memo=memo, goal="Cook a meal.", scene=scene, key=key)


def test_every_pair_of_commands_gives_short_advice_that_makes_patches() -> None:
    wordings: set[str] = set()
    for number, (good, bad) in enumerate(itertools.permutations(COMMANDS, 2)):
        reading = read(good, bad, memo=MEMO if number % 2 else "", key=str(number))
        assert reading.error_type in ERROR_TYPES
        assert not names_action(reading.text.diagnosis, good)
        for text in (reading.text.rationale, reading.text.diagnosis, reading.text.why_bad):
            assert len(text.split()) <= 12
            wordings |= set(text.lower().strip(".").split())
        assert set(patches(reading.text, key=str(number))) == {"base", "placebo", "demo", "contrast", "hint"}
    assert len(wordings) < 160


@pytest.mark.parametrize(
    ("good", "bad", "error_type"),
    [
        ("examine cookbook", "take red apple", "exploration_failure"),
        ("take red apple", "go north", "exploration_failure"),
        ("go south", "go north", "exploration_failure"),
        ("slice red apple with knife", "dice red apple with knife", "attribute_confusion"),
        ("cook red apple with oven", "cook pork chop with oven", "attribute_confusion"),
        ("take red apple", "take milk from fridge", "attribute_confusion"),
        ("take red apple", "take pork chop from fridge", "planning_error"),
        ("slice red apple with knife", "cook pork chop with stove", "planning_error"),
        ("prepare meal", "cook red apple with oven", "affordance_miss"),  # it is roasted already
        ("slice red apple with knife", "take milk from fridge", "affordance_miss"),
        ("slice red apple with knife", "take cookbook from table", "affordance_miss"),
        ("prepare meal", "eat red apple", "affordance_miss"),
        ("eat meal", "cook meal with oven", "affordance_miss"),
        ("eat meal", "close fridge", "affordance_miss"),
    ],
)
def test_the_error_type_follows_from_the_rule(good: str, bad: str, error_type: str) -> None:
    assert read(good, bad).error_type == error_type


def test_the_texts_say_what_is_so() -> None:
    texts = {read("cook pork chop with stove", "go north", key=str(i)).text.rationale for i in range(20)}
    assert texts == {"The recipe wants it fried.", "It must be fried."}
    faults = {read("cook pork chop with stove", "cook red apple with oven", key=str(i)).text.why_bad for i in range(20)}
    assert faults == {"It is already roasted.", "That would only burn it."}
    unread = {read("take red apple", "go north", memo="", key=str(i)).text.rationale for i in range(20)}
    assert not any("recipe" in text for text in unread)


@pytest.mark.parametrize(
    ("command", "kind", "thing", "manner"),
    [
        ("take red hot pepper from counter", "take", "red hot pepper", ""),
        ("cook pork chop with BBQ", "cook", "pork chop", "grilled"),
        ("chop pork chop with knife", "cut", "pork chop", "chopped"),
        ("insert key into lock", "leave", "key", ""),
        ("examine cookbook", "read", "cookbook", ""),
        ("wait", "other", "wait", ""),
    ],
)
def test_commands_are_understood(command: str, kind: str, thing: str, manner: str) -> None:
    parts = understand(command)
    assert (parts.kind, parts.object, parts.manner) == (kind, thing, manner)


def test_the_table_of_the_oracle() -> None:
    rows = [
        snapshot("a"),
        snapshot("b"),
        snapshot("c", student_action="take red apple from table"),
        snapshot("d", commands=["go north"], logp=[0.0]),
    ]
    expert: dict[str, str | None] = {
        **dict.fromkeys("ac", "take red apple from table"),
        "b": None,
        "d": "go north",
    }
    made = advise_snapshots(snapshots(*rows), expert, section("teacher"), explain=explain)
    assert made.schema == pl.Schema(tables.ADVICE)
    assert made["valid"].to_list() == [True, False, True, False]
    assert made["reason"].to_list()[:3] == [None, DEAD_END, None]
    assert "only admissible" in made["reason"][3]
    assert made["unwinnable"].to_list() == [False, True, False, False]
    assert made["cost_usd"].sum() == 0
    advice = AdviceText.from_rows(rows[2], made.row(2, named=True))
    assert advice.bad_action == "go north"  # the student was right; its runner-up
    assert made.equals(advise_snapshots(snapshots(*rows), expert, section("teacher"), explain=explain))


def test_an_expert_action_that_is_missing_or_inadmissible_is_an_error() -> None:
    with pytest.raises(TeacherError, match="s0: its expert action"):
        advise_snapshots(snapshots(snapshot()), {}, section("teacher"), explain=explain)
    with pytest.raises(TeacherError, match="'fly' is not an admissible"):
        advise_snapshots(snapshots(snapshot()), {"s0": "fly"}, section("teacher"), explain=explain)
