"""The layout dialogue: a conversation that only grows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from teachable.student import Context, StudentError
from teachable.student.conversation import messages
from teachable.student.layouts.chat import SYSTEM
from teachable.student.layouts.dialogue import DialogueLayout
from teachable.student.prompt import Transition

from .test_prefixes import episode
from .tiny import CHAT_TEMPLATE, chat_student

PLAIN_TEMPLATE = CHAT_TEMPLATE.replace("{{ '<think>\n\n</think>\n\n' }}", "")


@pytest.fixture
def tokenizer(student_directory: Path, tmp_path: Path) -> object:
    special = ("<|im_start|>", "<|im_end|>")
    return AutoTokenizer.from_pretrained(str(chat_student(student_directory, tmp_path / "m", PLAIN_TEMPLATE, special)))


def test_a_step_adds_tokens_and_changes_none(tokenizer: object) -> None:
    layout = DialogueLayout(tokenizer)
    prompts = [layout.render(one) for one in episode(7)]
    ids = [tokenizer(prompt, add_special_tokens=False).input_ids for prompt in prompts]  # type: ignore[operator]
    for (before, after), (short, long) in zip(pairwise(prompts), pairwise(ids), strict=True):
        assert after.startswith(before)
        assert long[: len(short)] == short


def test_a_decision_is_read_as_it_was_read_then(tokenizer: object) -> None:
    steps = episode(5)
    text = DialogueLayout(tokenizer).render(steps[-1])
    for step in steps:
        assert f"Observation:\n{step.observation}\n\nWhat you see and carry:\n{step.scene}" in text
    assert text.count("Possible commands:") == 5
    assert text.count("Goal: cook a meal") == 1


def test_the_patch_stands_where_it_was_given(tokenizer: object) -> None:
    layout = DialogueLayout(tokenizer)
    steps = episode(6)
    at = layout.render(replace(steps[2], patch="better go north"))
    later = layout.render(replace(steps[5], patch="better go north", patched=2))
    assert later.startswith(at)
    assert later.count("better go north") == 1
    assert later.replace("Example from a similar situation:\nbetter go north\n\n", "") == layout.render(steps[5])
    with pytest.raises(StudentError, match="decision 7, of 5"):
        layout.render(replace(steps[5], patch="better go north", patched=7))


def test_a_document_is_written_once_where_it_was_read(tokenizer: object) -> None:
    layout = DialogueLayout(tokenizer)
    steps = episode(3)
    recipe = "red apple: dice, fry"
    behind = (steps[2].history[0], steps[2].history[1]._replace(memo=recipe))
    assert layout.render(replace(steps[2], memo=recipe, history=behind)).count(recipe) == 1
    seen = (behind[0]._replace(observation=f"It says: {recipe}"), behind[1]._replace(before=f"It says: {recipe}"))
    assert layout.render(replace(steps[2], memo=recipe, history=seen)).count(recipe) == 1
    assert layout.render(replace(steps[0], memo=recipe)).count(f"Notes:\n{recipe}") == 1


def test_its_messages_are_read_back_from_what_the_template_wrote(tokenizer: object) -> None:
    layout = DialogueLayout(tokenizer)
    for step in episode(5):
        said = messages("dialogue", layout.render(step))
        assert said == layout.messages(step)
        assert said is not None
        assert [one["role"] for one in said] == ["system", *["user", "assistant"] * len(step.history), "user"]
    with pytest.raises(StudentError, match="layout dialogue"):
        messages("dialogue", f"{SYSTEM}\n\nGoal: nothing\n\nAnswer with the command only.")


def test_without_a_template_the_same_text_is_plain_and_only_grows(student_directory: Path) -> None:
    layout = DialogueLayout(AutoTokenizer.from_pretrained(str(student_directory)))
    prompts = [layout.render(one) for one in episode(4)]
    assert prompts[0].startswith(SYSTEM)
    assert all(prompt.endswith("\n\nCommand:") for prompt in prompts)
    assert all(after.startswith(before) for before, after in pairwise(prompts))
    assert messages("dialogue", prompts[2]) is None


def test_what_cannot_be_written_is_refused(tokenizer: object) -> None:
    forgets = "{% set messages = messages[-1:] %}" + PLAIN_TEMPLATE
    tokenizer.chat_template = forgets  # type: ignore[attr-defined]
    with pytest.raises(StudentError, match="does not write earlier messages"):
        DialogueLayout(tokenizer)
    tokenizer.chat_template = PLAIN_TEMPLATE  # type: ignore[attr-defined]
    bare = Context("g", "", "s", "o", (Transition("go north", "hall"),), ("look",))
    with pytest.raises(StudentError, match="does not say which commands"):
        DialogueLayout(tokenizer).render(bare)
