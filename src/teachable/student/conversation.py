"""The messages of a rendered prompt: what a chat template was given, read back from what it wrote.

A stored prompt is text, as the tokenizer's template wrote it. Tools that apply the template themselves want the
messages. They stand in the text as they were given (:mod:`teachable.student.turns` refuses templates that change them),
between words that the chat layout always writes, so that no tokenizer is needed to find them.
"""

from __future__ import annotations

from importlib import import_module

from teachable.student.errors import StudentError
from teachable.student.layouts.chat import SYSTEM
from teachable.student.prompt import CHAT, verbosity_of

_FIRST, _LAST = "Goal: ", "Answer with the command only."
_PLAIN = "\n\nCommand:"


def messages(layout: str, prompt: str) -> list[dict[str, str]] | None:
    """What the template was given for ``prompt``; None where there was none: plain text, or another layout.

    A system message that the template writes right before the user's, with an empty line between, and one that was
    put into the user's message cannot be told apart: both come back as one message of the user, which the template
    writes as the same text. Raises StudentError for a chat prompt in which the layout's words are not found.
    """
    if layout != CHAT or is_plain(prompt):
        return None
    start = prompt.find(SYSTEM)
    begin = prompt.find(_FIRST, start + len(SYSTEM))
    last = prompt.rfind(_LAST)
    if min(start, begin) < 0 or last < begin:
        raise StudentError("a stored prompt is not of this version of the layout chat; make the examples again")
    body = prompt[begin : last + len(_LAST)]
    between = prompt[start + len(SYSTEM) : begin]
    if between == "\n\n":
        return [{"role": "user", "content": f"{SYSTEM}{between}{body}"}]
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": body}]


def is_plain(prompt: str) -> bool:
    """Whether the chat layout wrote ``prompt`` without a template."""
    return prompt.startswith(SYSTEM) and prompt.endswith(_PLAIN)


def text_around(layout: str) -> tuple[str, str]:
    """What is written before and behind a command that follows a prompt that is plain text; StudentError if there is no
    such layout."""
    if layout == CHAT:
        return " ", "\n"
    verbosity_of(layout)
    kind = import_module(f"teachable.student.layouts.{layout}").LAYOUT
    return str(getattr(kind, "command_prefix", " ")), str(getattr(kind, "end", "\n"))
