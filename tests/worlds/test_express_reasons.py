"""The oracle's words for TextWorldExpress."""

from __future__ import annotations

import pytest

from teachable.worlds.textworld_express.reasons import explain, understand

MEMO = "ingredients: red apple, carrot; directions: slice the red apple, fry the carrot, prepare meal"


def reasons(suggested: str, bad: str, memo: str = MEMO, scene: str = "kitchen | stove"):
    return explain(suggested, bad, memo=memo, goal="Cook a meal.", scene=scene)


@pytest.mark.parametrize(
    ("suggested", "bad", "kind", "said"),
    [
        ("read cookbook", "take red apple", "exploration_failure", "not known yet"),
        ("slice red apple", "dice red apple", "attribute_confusion", "should not be diced"),
        ("slice red apple", "cook carrot in stove", "planning_error", "comes first"),
        ("slice red apple", "cook carrot in oven", "attribute_confusion", "should not be roasted"),
        ("slice red apple", "chop banana", "attribute_confusion", "the wrong thing"),
        ("move north", "move south", "exploration_failure", "wrong way"),
        ("take red apple", "move south", "exploration_failure", "still to do here"),
        ("take red apple", "take banana", "attribute_confusion", "wrong thing"),
        ("slice red apple", "eat red apple", "affordance_miss", "cannot be made"),
        ("put hat in rack", "put hat in bed", "attribute_confusion", "not belong there"),
        ("open door to north", "open fridge", "planning_error", "not needed now"),
        ("slice red apple", "jump", "affordance_miss", "nothing done"),
    ],
)
def test_what_is_wrong_with_a_command(suggested, bad, kind, said):
    found = reasons(suggested, bad, memo="" if suggested.startswith("read") else MEMO)
    assert found.error_type == kind
    assert any(said in text for text in found.why_bad)


def test_a_manner_that_the_recipe_wants_is_not_called_wrong():
    assert "should not" not in " ".join(reasons("slice red apple", "cook carrot in stove").why_bad)
    assert reasons("cook carrot in stove", "take knife").rationale[0] == "The recipe wants it fried."


def test_no_diagnosis_names_the_command():
    commands = (
        *("read cookbook", "move north", "open door to north", "open fridge", "take red apple", "eat meal"),
        *("put hat in rack", "slice red apple", "cook carrot in stove", "prepare meal", "sit down"),
    )
    for command in commands:
        found = reasons(command, "jump")
        assert len(found.rationale) == len(found.diagnosis) == len(found.why_bad) == 2
        assert not any(command in text.lower() for text in found.diagnosis)


def test_simon_is_quoted_by_nobody():
    found = reasons("touch orange", "eat orange", memo="", scene="Simon says, 'touch orange'.")
    assert all("Simon" in text for text in (*found.rationale, *found.why_bad))
    assert not any("touch" in text for text in found.diagnosis)


def test_commands_are_taken_apart():
    assert understand("cook red apple in barbeque").manner == "grilled"
    assert (understand("put hat in hat rack").object, understand("put hat in hat rack").place) == ("hat", "hat rack")
    assert understand("open door to north").kind == "door"
