"""The prompt of instruction-tuned models: a conversation, by the tokenizer's own chat template where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from teachable.student.errors import StudentError
from teachable.student.prompt import Context, Verbosity, one_line, shorten

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
    verbosity: Verbosity = "full"
    last_turns = 8
    turn_characters = 400

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.templated = bool(getattr(tokenizer, "chat_template", None))
        self.special_tokens = not self.templated
        self.command_prefix = "" if self.templated else " "
        self._system_role = self.templated and self._accepts_system()

    @classmethod
    def of(cls, record: Mapping[str, Any], tokenizer: Any) -> ChatLayout:
        return cls(tokenizer)

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
        if not self.templated:
            return f"{SYSTEM}\n\n{body}\n\nCommand:"
        if self._system_role:
            return self._apply([{"role": "system", "content": SYSTEM}, {"role": "user", "content": body}])
        return self._apply([{"role": "user", "content": f"{SYSTEM}\n\n{body}"}])


LAYOUT = ChatLayout
