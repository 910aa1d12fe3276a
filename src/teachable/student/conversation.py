"""The messages of a rendered prompt: what a chat template was given, read back from what it wrote.

A stored prompt is text, as the tokenizer's template wrote it. Tools that apply the template themselves want the
messages. They stand in the text as they were given (:mod:`teachable.student.turns` refuses templates that change them),
between words that the chat layout always writes, so that no tokenizer is needed to find them.
"""

from __future__ import annotations

import re
from importlib import import_module

from teachable.student.errors import StudentError
from teachable.student.layouts.chat import SYSTEM
from teachable.student.prompt import CHAT, DIALOGUE, verbosity_of

_FIRST, _LAST = "Goal: ", "Answer with the command only."
_PLAIN = "\n\nCommand:"
# a user's message of the layout dialogue behind the first one's goal
_DECISION = re.compile(
    r"Observation:\n.*?\n\nPossible commands:\n(?P<commands>.*?)\n\nWhich command do you choose\? " + re.escape(_LAST),
    re.DOTALL,
)


def messages(layout: str, prompt: str) -> list[dict[str, str]] | None:
    """What the template was given for ``prompt``; None where there was none: plain text, or another layout.

    A system message that the template writes right before the user's, with an empty line between, and one that was
    put into the user's message cannot be told apart: both come back as one message of the user, which the template
    writes as the same text. Raises StudentError for a chat prompt in which the layout's words are not found.
    """
    if layout not in (CHAT, DIALOGUE) or is_plain(prompt):
        return None
    start = prompt.find(SYSTEM)
    begin = prompt.find(_FIRST, start + len(SYSTEM))
    last = prompt.rfind(_LAST)
    if min(start, begin) < 0 or last < begin:
        raise StudentError(f"a stored prompt is not of this version of the layout {layout}; make the examples again")
    body = prompt[begin : last + len(_LAST)]
    between = prompt[start + len(SYSTEM) : begin]
    said = [{"role": "user", "content": body}] if layout == CHAT else _turns(body)
    if between == "\n\n":
        said[0]["content"] = f"{SYSTEM}{between}{said[0]['content']}"
        return said
    return [{"role": "system", "content": SYSTEM}, *said]


def _turns(body: str) -> list[dict[str, str]]:
    """The messages of user and assistant in a dialogue from its goal on, to the user's last."""
    found = list(_DECISION.finditer(body))
    if not found:
        raise StudentError("a stored prompt is not of this version of the layout dialogue; make the examples again")
    said: list[dict[str, str]] = []
    for index, decision in enumerate(found):
        begin = decision.start() if index else 0
        said.append({"role": "user", "content": body[begin : decision.end()]})
        if index + 1 < len(found):  # the template's own words around one of the commands
            between = body[decision.end() : found[index + 1].start()]
            listed = [line.removeprefix("- ") for line in decision["commands"].split("\n")]
            said.append({"role": "assistant", "content": max((c for c in listed if c in between), key=len, default="")})
            if not said[-1]["content"]:
                raise StudentError("a stored prompt of the layout dialogue has an answer that is none of its commands")
    return said


def is_plain(prompt: str) -> bool:
    """Whether the layout chat or dialogue wrote ``prompt`` without a template."""
    return prompt.startswith(SYSTEM) and prompt.endswith(_PLAIN)


def text_around(layout: str) -> tuple[str, str]:
    """What is written before and behind a command that follows a prompt that is plain text; StudentError if there is no
    such layout."""
    if layout in (CHAT, DIALOGUE):
        return " ", "\n"
    verbosity_of(layout)
    kind = import_module(f"teachable.student.layouts.{layout}").LAYOUT
    return str(getattr(kind, "command_prefix", " ")), str(getattr(kind, "end", "\n"))
