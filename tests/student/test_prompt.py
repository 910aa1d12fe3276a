"""Layouts: pure functions of the context, the patch in its place, a real chat template."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from teachable.student import LayoutMismatch, StudentError
from teachable.student.layouts.chat import SYSTEM, ChatLayout
from teachable.student.layouts.compact import CompactLayout
from teachable.student.prompt import Transition, check_layout, layout_of, shorten, verbosity_of

from .tiny import CHAT_TEMPLATE, COMMANDS, context


def test_compact_has_its_lines_and_a_patch_changes_one_of_them() -> None:
    layout = CompactLayout("recipe")
    plain = layout.render(context(2)).splitlines()
    patched = layout.render(context(2, patch="similar case:\nbetter go north")).splitlines()
    assert plain[0] == "recipe: red apple: dice, fry"
    assert plain[-3:] == ["did: go north; go east", "tip: -", "act:"]
    differing = [(a, b) for a, b in zip(plain, patched, strict=True) if a != b]
    assert differing == [("tip: -", "tip: similar case: better go north")]


def test_compact_shows_the_goal_until_a_memo_is_there_and_only_the_last_commands() -> None:
    unread = replace(context(1), goal="word " * 100, history=tuple(Transition(f"go {i}", "") for i in range(9)))
    lines = CompactLayout("recipe").render(unread).splitlines()
    assert lines[0].startswith("goal: word word")
    assert len(lines[0]) <= len("goal: ") + CompactLayout.goal_characters
    assert lines[-3] == "did: go 6; go 7; go 8"


def test_shorten_cuts_between_words() -> None:
    assert shorten("one two  three", 8) == "one two"
    assert shorten("one two", 7) == "one two"
    assert shorten("onetwothree", 5) == "onetw"


@pytest.fixture
def chat_tokenizer(student_directory: Path) -> object:
    tokenizer = AutoTokenizer.from_pretrained(str(student_directory))
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def test_chat_uses_the_template_without_thinking(chat_tokenizer: object) -> None:
    layout = ChatLayout(chat_tokenizer)
    text = layout.render(context(2, patch="The command that worked there was go north."))
    assert text.startswith(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n")
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert "Example from a similar situation:\nThe command that worked there was go north.\n" in text
    assert all(f"- {command}\n" in text for command in context(2).commands)
    assert not layout.special_tokens
    assert layout.command_prefix == ""


def test_a_template_that_refuses_the_system_role_gets_one_message(chat_tokenizer: object) -> None:
    refusal = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    chat_tokenizer.chat_template = refusal + CHAT_TEMPLATE  # type: ignore[attr-defined]
    text = ChatLayout(chat_tokenizer).render(context(0))
    assert text.startswith(f"<|im_start|>user\n{SYSTEM}\n\nGoal:")


def test_without_a_template_the_same_text_is_plain(student_directory: Path) -> None:
    layout = ChatLayout(AutoTokenizer.from_pretrained(str(student_directory)))
    text = layout.render(context(0))
    assert text.startswith(SYSTEM)
    assert text.endswith("\n\nCommand:")
    assert layout.special_tokens
    assert layout.command_prefix == " "
    assert "similar situation" not in text


def test_chat_does_not_repeat_the_current_observation(chat_tokenizer: object) -> None:
    text = ChatLayout(chat_tokenizer).render(
        replace(
            context(0),
            history=(Transition("go north", "first seen"), Transition("open fridge", "now seen")),
            observation="now seen",
        )
    )
    assert text.count("now seen") == 1
    assert "> go north\nfirst seen\n> open fridge\n" in text


def test_unknown_layouts_and_mismatches_are_refused() -> None:
    with pytest.raises(StudentError, match="known are"):
        layout_of({"layout": "telegram"}, None)
    with pytest.raises(StudentError, match="known are chat, compact, dialogue"):
        verbosity_of("verse")
    built = {"layout": "compact", "layout_version": CompactLayout.version, "memo_label": "recipe"}
    with pytest.raises(LayoutMismatch, match="this student reads 'chat'"):
        layout_of(built, None, "chat")
    assert layout_of(built, None, "compact").name == layout_of(built, None).name == "compact"
    with pytest.raises(LayoutMismatch, match="'compact' version 7"):
        check_layout("adapter x", "compact", 7, CompactLayout("recipe"))


def test_a_prompt_is_independent_of_the_process_and_commands_are_those_of_the_context() -> None:
    assert CompactLayout("recipe").render(context(3)) == CompactLayout("recipe").render(context(3))
    assert len(set(COMMANDS)) == len(COMMANDS)
