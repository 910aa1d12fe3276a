"""Patches match in length, keep the secret they must keep, and never stand in for missing advice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachable.student.prompt import Transition
from teachable.supervision import (
    TOLERANCE,
    AdviceText,
    example,
    patch,
    patches,
    placebo,
)
from teachable.teacher.advice import bad_action, names_action
from teachable.teacher.errors import AdviceError
from teachable.terms import CONDITIONS, Verbosity

ADVICE = AdviceText(
    suggested_action="take red hot pepper from counter",
    bad_action="go north",
    rationale="The recipe asks for it.",
    diagnosis="Something in the recipe is not in hand yet.",
    why_bad="It leaves while something is still needed here.",
)
SNAPSHOT: dict[str, Any] = {
    "snapshot_id": "s1",
    "goal": "cook",
    "memo": "",
    "scene": "kitchen",
    "observation": "You look around.",
    "history": [Transition("go south", "A kitchen.").columns()],
    "commands": ["go north", "go south", "take red hot pepper from counter"],
    "logp": [-0.5, -1.5, -2.0],
    "student_action": "go north",
}
ROW: dict[str, Any] = {
    "snapshot_id": "s1",
    "valid": True,
    "reason": None,
    "suggested_action": "take red hot pepper from counter",
    "rationale": "The recipe asks for it.",
    "diagnosis": "Something is missing.",
    "why_bad": "It leads away.",
}

vocabulary = ["the", "apple,", "stove.", "because", "it;", "is", "raw", "(still)", "hot:", "here", "now!"]
words = st.lists(st.sampled_from(vocabulary), min_size=1)
prose = st.one_of(
    words.map(" ".join),
    st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() != ""),
)
long_prose = st.integers(1, 40).flatmap(lambda n: prose.map(lambda text: "\n".join([text] * n)))
nouns = st.lists(st.sampled_from(["red", "hot", "pepper", "fridge", "BBQ", "oven"]), min_size=1, max_size=9)
action = st.tuples(st.sampled_from(["take", "go", "cook", "look", "unlock"]), nouns).map(
    lambda pair: " ".join([pair[0], *pair[1]])
)


@given(
    action, action, long_prose, long_prose, long_prose, st.sampled_from(["compact", "full"]), st.text(), st.booleans()
)
@settings(max_examples=300)
def test_patches_of_any_advice_match_in_length_and_the_hint_keeps_its_secret(
    good: str, bad: str, rationale: str, diagnosis: str, why: str, verbosity: Verbosity, key: str, tried: bool
) -> None:
    if good == bad or names_action(diagnosis, good):
        with pytest.raises(AdviceError):
            AdviceText(good, bad, rationale, diagnosis, why)
        return
    advice = AdviceText(good, bad, rationale, diagnosis, why, tried)
    made = patches(advice, verbosity=verbosity, key=key)
    assert tuple(made) == CONDITIONS
    assert made["base"] == ""
    lengths = [len(text.split()) for name, text in made.items() if name != "base"]
    assert max(lengths) <= TOLERANCE * min(lengths), made
    assert good in made["demo"]
    assert good in made["contrast"]
    assert bad in made["contrast"]
    for name in ("hint", "placebo"):
        assert good.lower() not in made[name].lower()
        assert not names_action(made[name], good)
    assert "\n" not in "".join(made.values())
    assert made == patches(advice, verbosity=verbosity, key=key)


def test_compact_patches_of_short_advice_are_short() -> None:
    for name, text in patches(ADVICE, key="s1").items():
        assert name == "base" or 10 <= len(text.split()) <= 24, text


@pytest.mark.parametrize("verbosity", ["compact", "full"])
@given(count=st.integers(0, 120), key=st.text())
def test_a_placebo_has_the_length_asked_for_and_no_instruction(verbosity: Verbosity, count: int, key: str) -> None:
    text = placebo(count, verbosity=verbosity, key=key)
    shortest = len(placebo(0, verbosity=verbosity).split())
    assert max(count, shortest) - 2 <= len(text.split()) <= max(count, shortest + 2)
    assert not {"think", "step", "carefully", "reason", "must", "should"} & set(text.lower().replace(".", "").split())
    assert patch("placebo", None, verbosity=verbosity, key=key, placebo_like=count) == text


def test_placebos_vary_with_the_snapshot() -> None:
    assert len({placebo(16, key=f"s{i}") for i in range(50)}) > 10


def test_examples_differ_only_in_the_patch_and_complete_with_the_teachers_action() -> None:
    made = {name: example(SNAPSHOT, ADVICE, name) for name in ("demo", "contrast", "hint")}
    assert {item.completion for item in made.values()} == {ADVICE.suggested_action}
    assert made["demo"].patch == ""
    assert made["contrast"].patch == patch("contrast", ADVICE, key="s1")
    assert made["hint"].patch == patch("hint", ADVICE, key="s1")
    with pytest.raises(AdviceError, match="not an admissible"):
        example({**SNAPSHOT, "commands": ["go north"]}, ADVICE, "demo")
    with pytest.raises(AdviceError, match="unknown format"):
        example(SNAPSHOT, ADVICE, "placebo")


def test_a_stored_decision_is_the_students_context() -> None:
    from teachable.student.prompt import Context

    context = Context.of(SNAPSHOT, "do this")
    assert context.patch == "do this"
    assert context.history == (Transition("go south", "A kitchen."),)
    assert Context.of(context.columns(), "do this") == context
    assert {name: SNAPSHOT[name] for name in context.columns()} == context.columns()


@pytest.mark.parametrize("condition", ["placebo", "demo", "contrast", "hint"])
def test_missing_advice_is_an_error_and_never_another_text(condition: str) -> None:
    with pytest.raises(AdviceError, match="s7"):
        patch(condition, None, key="s7")
    assert patch("base", None) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"valid": False, "reason": "hallucinated"}, "hallucinated"),
        ({"valid": None}, "not valid"),
        ({"rationale": None}, "rationale"),
        ({"diagnosis": ""}, "diagnosis"),
        ({"suggested_action": "take apple"}, "not an admissible"),
        ({"snapshot_id": "s2"}, "belongs to s2"),
        ({"diagnosis": "It should take the red hot pepper from the counter."}, "names the suggested action"),
    ],
)
def test_advice_that_breaks_its_contract_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AdviceError, match=message):
        AdviceText.from_rows(SNAPSHOT, {**ROW, **change})


def test_advice_from_rows() -> None:
    advice = AdviceText.from_rows(SNAPSHOT, ROW)
    assert advice.bad_action == "go north"
    with pytest.raises(AdviceError, match="no advice"):
        AdviceText.from_rows(SNAPSHOT, None)


def test_where_the_student_was_right_its_runner_up_is_the_bad_action() -> None:
    commands = ["a", "b", "c", "d"]
    assert bad_action("b", "a", commands, None) == "b"
    assert bad_action("b", "b", commands, [-3.0, -0.1, -2.0, -2.0]) == "c"
    with pytest.raises(AdviceError, match="only admissible"):
        bad_action("b", "b", ["b"], [0.0])
    with pytest.raises(AdviceError, match="distribution"):
        bad_action("b", "b", commands, None)


@pytest.mark.parametrize(
    ("text", "action", "named"),
    [
        ("Take the knife from the counter!", "take knife from counter", True),
        ("It ignores taking a knife that lies on the counter.", "take knife from counter", True),
        ("The knife is on the counter.", "take knife from counter", False),
        ("It took a break. The knife is on the counter.", "take knife from counter", False),
        ("The way north is open, so go there.", "go north", False),
        ("Going to the north would help.", "go north", True),
        ("The meal is not eaten.", "eat meal", False),
        ("It has not eaten the meal.", "eat meal", True),
        ("LOOK around", "look", True),
        ("It overlooks the fridge.", "look", False),
    ],
)
def test_names_action(text: str, action: str, named: bool) -> None:
    assert names_action(text, action) is named


def test_a_contrast_says_tried_only_of_what_the_student_did() -> None:
    """Where the student did the right thing its runner-up is held against it, which nobody tried."""
    commands = ["go east", "go north", "wait"]
    logp = np.log([0.6, 0.3, 0.1]).tolist()
    texts = {"rationale": "It leads on.", "diagnosis": "The way was open.", "why_bad": "It leads away."}
    advice = {"valid": True, "suggested_action": "go east", **texts}
    said = {}
    for action in ("go east", "go north"):
        row = {"snapshot_id": "s", "student_action": action, "commands": commands, "logp": logp}
        said[action] = patches(AdviceText.from_rows(row, advice), verbosity="full", key="s")["contrast"]
    assert "tried first was: go north" in said["go north"]
    assert "tried" not in said["go east"]
    assert "comes to mind there is: go north" in said["go east"]


@pytest.mark.parametrize("verbosity", ["compact", "full"])
@pytest.mark.parametrize("mark", ["<|im_end|>", "</s>", "[INST]", "<end_of_turn>", ">>QUESTION<<", "<<SYS>>"])
def test_advice_has_no_special_token_for_any_tokenizer(verbosity: str, mark: str) -> None:
    from tokenizers import AddedToken, Tokenizer, models

    tokenizer = Tokenizer(models.BPE())
    marks = [mark, mark.lower(), "<|im_start|>"]
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in marks])
    text = f"See{mark} {mark}<|im_start|>system it{mark}{mark}."
    advice = AdviceText("open oven", "go north", rationale=text, diagnosis=text, why_bad=text)
    made = patches(advice, verbosity=verbosity, key="s0")
    assert "system" in made["demo"]
    for patch_text in made.values():
        assert tokenizer.encode(patch_text).ids == [], patch_text  # it knows no other token
    assert len(tokenizer.encode(text).ids) > 0
