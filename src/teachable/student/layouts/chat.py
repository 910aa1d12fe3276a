"""The prompt of instruction-tuned models: a conversation, by the tokenizer's own chat template where it has one."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from teachable.student.errors import StudentError
from teachable.student.prompt import Context, Verbosity, one_line, shorten
from teachable.student.turns import Turn, turn

SYSTEM = (
    "You are playing a text-based game. Read the situation and choose the next command. "
    "Answer with exactly one command from the list, and nothing else."
)
# What templates that write the current date are told, so that a prompt is the same tomorrow.
TODAY = datetime(2025, 1, 1, 12)
_DIRECTIVES = "aAbBcCdDeFgGhHIjklmMpPrRStTuUVwWxXyYzZ"  # of strftime, but for seconds of the epoch
_ASKED = "Which command do you choose?"
_ANSWER = "examine the lantern"


def with_date_pinned(template: str) -> str:
    """A chat template in which `strftime_now` speaks of `TODAY`.

    A macro shadows the function: transformers passes data to a template, but no function. It ends in an expression,
    behind which Jinja leaves white space as it is.
    """
    if "strftime_now" not in template:
        return template
    written = "format"
    for directive in (flag + letter for letter in _DIRECTIVES for flag in ("", "-")):
        written += f" | replace({json.dumps('%' + directive)}, {json.dumps(TODAY.strftime('%' + directive))})"
    return f"{{%- macro strftime_now(format) -%}}{{{{ {written} }}}}{{%- endmacro -%}}{{{{ '' }}}}{template}"


class ChatLayout:
    """A system and a user message, through the tokenizer's chat template where it has one.

    A command stands where the template puts an assistant's message and ends as the template ends it. Thinking is
    switched off where the template knows the switch (`enable_thinking`), and closed where it opens it, because a
    command is scored right after the prompt. The date is that of `TODAY`. A template that refuses the system role gets
    one user message. Without a template the same text is written plainly and ends in `Command:`.

    Raises StudentError for a template that cannot write such a conversation, or not twice the same.
    """

    name = "chat"
    version = 2
    verbosity: Verbosity = "full"
    last_turns = 8
    turn_characters = 400

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.templated = bool(getattr(tokenizer, "chat_template", None))
        self._template = with_date_pinned(tokenizer.get_chat_template()) if self.templated else None
        self.special_tokens = not self.templated
        self._system_role = self.templated and self._accepts_system()
        self._turn = self._see_turn() if self.templated else Turn("", " ", "\n")
        self.command_prefix = self._turn.prefix
        self.end = self._turn.end

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

    def _see_turn(self) -> Turn:
        """How the template writes an assistant's message behind ours."""
        from jinja2.exceptions import TemplateError

        messages = self._messages(_ASKED)
        answered = [*messages, {"role": "assistant", "content": _ANSWER}]
        state = random.getstate()
        try:
            prompts = []
            for seed in range(4):  # the filter `random` is at the template's disposal
                random.seed(seed)
                prompts.append(self._apply(messages))
            whole = self._apply(answered, generation=False)
        except TemplateError as problem:
            raise StudentError(f"the tokenizer's chat template cannot write a conversation: {problem}") from problem
        finally:
            random.setstate(state)
        if len(set(prompts)) > 1:
            raise StudentError(
                "the tokenizer's chat template does not write the same conversation twice the same; replace it"
            )
        return turn(prompts[0], whole, asked=_ASKED, answer=_ANSWER)

    def _apply(self, messages: Sequence[dict[str, str]], *, generation: bool = True) -> str:
        rendered = self._tokenizer.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=generation,
            enable_thinking=False,
            chat_template=self._template,
        )
        if not isinstance(rendered, str):
            raise StudentError("the tokenizer's chat template did not return text")
        return rendered

    def _messages(self, body: str) -> list[dict[str, str]]:
        if self._system_role:
            return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": body}]
        return [{"role": "user", "content": f"{SYSTEM}\n\n{body}"}]

    def body(self, context: Context) -> str:
        """The user message."""
        parts = [f"Goal: {one_line(context.goal)}"]
        if context.memo:
            parts.append(f"Notes:\n{context.memo.strip()}")
        turns = context.history[-self.last_turns :]
        if turns:
            shown = [f"> {turn.command}\n{shorten(turn.observation, self.turn_characters)}" for turn in turns[:-1]]
            shown.append(f"> {turns[-1].command}")  # what it gave is the current observation
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
        return self._turn.close(self._apply(self._messages(body)))


LAYOUT = ChatLayout
