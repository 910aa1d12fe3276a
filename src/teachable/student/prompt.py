"""What the student reads at a decision: a pure function of `Context`, in one of two layouts.

`compact` is the built-in student's: a few short lines, so that a small model on a CPU is fast. `chat` is for
instruction-tuned models: a conversation rendered with the tokenizer's own chat template where it has one.

A layout has a name and a version, and both are part of every checkpoint and adapter. Change the version with
any change to what `render` returns: a checkpoint read through another layout does not fail, it only answers
wrongly, so loading refuses a mismatch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from teachable.student.errors import LayoutMismatch, StudentError


@dataclass(frozen=True, slots=True)
class Context:
    """All the student may know at one decision."""

    goal: str  # the task's objective
    memo: str  # documents read so far, "" before
    scene: str  # what is visible: room, things, exits, inventory
    observation: str  # the engine's text after the last command
    history: tuple[tuple[str, str], ...]  # (command, the observation it gave), oldest first
    commands: tuple[str, ...]  # admissible commands, in the order of the policy
    patch: str = ""  # text from the teacher, "" for none


class Layout(Protocol):
    """A way to write a `Context` down."""

    name: str
    version: int
    special_tokens: bool  # whether tokenising the prompt must add the tokenizer's own start token
    command_prefix: str  # written between the prompt and a command

    def render(self, context: Context) -> str: ...


def one_line(text: str) -> str:
    """`text` with every run of white space replaced by one blank."""
    return " ".join(text.split())


def shorten(text: str, characters: int) -> str:
    """At most `characters` of `text` in one line, cut between words."""
    line = one_line(text)
    if len(line) <= characters:
        return line
    cut = line.rfind(" ", 0, characters + 1)
    return line[: cut if cut > 0 else characters]


class CompactLayout:
    """Lines `goal:` or what the world calls the memo, the scene, `did:`, `tip:`, `act:`; commands are not listed.

    The `tip:` line is always there, with a dash for no patch, so that a patch changes that line and nothing
    else. Of the history only the last three commands are shown.
    """

    name = "compact"
    version = 1
    special_tokens = False
    command_prefix = " "
    goal_characters = 72
    last_commands = 3

    def __init__(self, memo_label: str) -> None:
        self.memo_label = memo_label

    def render(self, context: Context) -> str:
        task = (
            f"{self.memo_label}: {one_line(context.memo)}"
            if context.memo
            else f"goal: {shorten(context.goal, self.goal_characters)}"
        )
        did = "; ".join(command for command, _ in context.history[-self.last_commands :])
        scene = "\n".join(one_line(line) for line in context.scene.splitlines() if line.strip())
        return f"{task}\n{scene}\ndid: {did or '-'}\ntip: {one_line(context.patch) or '-'}\nact:"


SYSTEM = (
    "You are playing a text-based game. Read the situation and choose the next command. "
    "Answer with exactly one command from the list, and nothing else."
)


class ChatLayout:
    """A system and a user message, through the tokenizer's chat template where it has one.

    Thinking is switched off where the template knows the switch (`enable_thinking`), because a command is
    scored right after the prompt. A template that refuses the system role gets one user message. Without a
    template the same text is written plainly and ends in `Command:`.
    """

    name = "chat"
    version = 1
    last_turns = 8
    turn_characters = 400

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._templated = bool(getattr(tokenizer, "chat_template", None))
        self.special_tokens = not self._templated
        self.command_prefix = "" if self._templated else " "
        self._system_role = self._templated and self._accepts_system()

    def _accepts_system(self) -> bool:
        from jinja2.exceptions import TemplateError

        try:
            rendered = self._apply([{"role": "system", "content": SYSTEM}, {"role": "user", "content": "x"}])
        except TemplateError:
            return False
        return SYSTEM in rendered

    def _apply(self, messages: Sequence[dict[str, str]]) -> str:
        rendered = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        if not isinstance(rendered, str):
            raise StudentError("the tokenizer's chat template did not return text")
        return rendered

    def body(self, context: Context) -> str:
        """The user message."""
        parts = [f"Goal: {one_line(context.goal)}"]
        if context.memo:
            parts.append(f"Notes:\n{context.memo.strip()}")
        turns = context.history[-self.last_turns :]
        if turns:
            shown = [f"> {command}\n{shorten(seen, self.turn_characters)}" for command, seen in turns[:-1]]
            shown.append(f"> {turns[-1][0]}")  # what it gave is the current observation
            parts.append("What you did so far:\n" + "\n".join(shown))
        parts.append(f"Observation:\n{context.observation.strip()}")
        parts.append(f"What you see and carry:\n{context.scene.strip()}")
        if context.patch:
            parts.append(f"Example from a similar situation:\n{context.patch.strip()}")
        parts.append("Possible commands:\n" + "\n".join(f"- {command}" for command in context.commands))
        parts.append("Which command do you choose? Answer with the command only.")
        return "\n\n".join(parts)

    def render(self, context: Context) -> str:
        body = self.body(context)
        if not self._templated:
            return f"{SYSTEM}\n\n{body}\n\nCommand:"
        if self._system_role:
            return self._apply([{"role": "system", "content": SYSTEM}, {"role": "user", "content": body}])
        return self._apply([{"role": "user", "content": f"{SYSTEM}\n\n{body}"}])


def layout_of(record: Mapping[str, Any], tokenizer: Any) -> Layout:
    """The layout that a student's `record` names, chat where it names none.

    StudentError if there is no such layout, or if the record lacks what the layout needs.
    """
    name = str(record.get("layout", ChatLayout.name))
    if name == CompactLayout.name:
        if "memo_label" not in record:
            raise StudentError("the student's file says nothing of memo_label; build the student again")
        return CompactLayout(str(record["memo_label"]))
    if name == ChatLayout.name:
        return ChatLayout(tokenizer)
    raise StudentError(f"unknown prompt layout {name!r}; known are 'compact' and 'chat'")


def check_layout(owner: str, name: object, version: object, layout: Layout) -> None:
    """LayoutMismatch unless `owner` (a checkpoint or adapter) was made for this very `layout`."""
    if (name, version) != (layout.name, layout.version):
        raise LayoutMismatch(
            f"{owner} was made for prompt layout {name!r} version {version!r}, this student reads {layout.name!r} "
            f"version {layout.version}; make it again with this version, or use the one it was made with"
        )
