"""Where a command stands in a conversation: what a chat template writes around an assistant's message.

Found by letting the template write one and looking: neither the end-of-text token nor the generation prompt says it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from teachable.student.errors import StudentError

# <think>, <thinking>, <seed:think>, <reasoning>, <thought>, [THINK], <|begin_of_thought|>, <|START_THINKING|>, ...
_TAG = re.compile(
    r"(?P<open>[<\[]\|?)(?P<close>/|end_?of_?|end_?)?(?P<begin>begin_?of_?|begin_?|start_?of_?|start_?)?"
    r"(?P<name>[\w:-]*(?:think|thought|reason)\w*)(?P<shut>\|?[>\]])",
    re.IGNORECASE,
)


_MUSING = re.compile("think|thought|reason|analysis|scratchpad|reflect", re.IGNORECASE)
_BLANKS = " \t"


@dataclass(frozen=True, slots=True)
class Turn:
    """What stands around an assistant's message."""

    opening: str  # behind the generation prompt
    prefix: str  # blanks right before the message, which are tokenised with it
    end: str  # what ends the message; empty where the template writes nothing

    def close(self, prompt: str) -> str:
        """`prompt`, as the template wrote it, up to where a message begins, without `prefix`."""
        return (prompt + self.opening).rstrip(_BLANKS)


def turn(prompt: str, whole: str, *, asked: str, answer: str) -> Turn:
    """What stands around `answer` in `whole`: a conversation up to it, whose generation prompt is `prompt`.

    `asked` is what the user says last. A thinking tag that the prompt opens is closed. Raises StudentError where
    `asked` or `answer` is not written as it is, or where the prompt opens a thought that cannot be closed.
    """
    start = whole.rfind(answer)
    if start < 0 or asked not in prompt:
        raise StudentError("the tokenizer's chat template does not write messages as they are given")
    end = whole[start + len(answer) :]
    tail = prompt[prompt.rfind(asked) + len(asked) :]
    if open_tag(tail) is not None:
        before = _closing(tail)
    elif whole.startswith(prompt) and len(prompt) <= start:
        before = whole[len(prompt) : start]
        before += _closing(before) if open_tag(before) is not None else ""
    else:
        before = ""
        same = next((i for i, (a, b) in enumerate(zip(prompt, whole[:start], strict=False)) if a != b), start)
        own = _without_thoughts(prompt[max(same, len(prompt) - len(tail)) :])
        if _MUSING.search(own):
            raise StudentError(
                f"the tokenizer's chat template begins an answer with {own.strip()!r}, behind which no command stands; "
                "use a template that can leave out reasoning"
            )
    written = prompt + before
    return Turn(before, written[len(written.rstrip(_BLANKS)) :], end)


def _without_thoughts(text: str) -> str:
    """`text` without tags of thinking that are closed and what stands between them."""
    kept, since = [], 0
    for tag in _TAG.finditer(text):
        if tag["close"]:
            since = tag.end()
        else:
            kept.append(text[since : tag.start()])
            since = tag.end()
    return "".join([*kept, text[since:]])


def open_tag(text: str) -> re.Match[str] | None:
    """The last thinking tag in `text` if it opens and nothing closes it, else None."""
    found = None
    for tag in _TAG.finditer(text):
        found = None if tag["close"] else tag
    return found


def _closing(text: str) -> str:
    """What closes the open tag in `text`, as models write it whose thinking is switched off: an empty thought."""
    tag = open_tag(text)
    assert tag is not None
    if text[tag.end() :].strip():
        raise StudentError(
            f"the tokenizer's chat template begins a thought behind {tag[0]}; use a template that leaves it empty"
        )
    begin = tag["begin"]
    mark = re.sub("begin|start", "END" if begin.isupper() else "end", begin, flags=re.IGNORECASE) if begin else "/"
    gap = "" if text.endswith("\n") else "\n"
    return f"{gap}\n{tag['open']}{mark}{tag['name']}{tag['shut']}\n\n"
