"""JSON Lines of training examples, and the card beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from teachable.student.conversation import messages, text_around

THINKING_OFF = {"enable_thinking": False}
"""What the chat layout tells a template; TRL hands it on from a column of this name."""


class Write(Protocol):
    def __call__(self, name: str, row: Mapping[str, Any]) -> None: ...


@contextmanager
def writer(folder: Path) -> Iterator[Write]:
    """Append a row to ``<name>.jsonl``; every file is opened once."""
    with ExitStack() as stack:
        files: dict[str, IO[str]] = {}

        def write(name: str, row: Mapping[str, Any]) -> None:
            if name not in files:
                files[name] = stack.enter_context((folder / f"{name}.jsonl").open("w", encoding="utf-8"))
            files[name].write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

        yield write


def spoken(layout: str, prompt: str, **answers: str) -> dict[str, Any]:
    """The prompt and each answer as TRL has them: messages where ``prompt`` is a conversation, else plain text.

    Raises StudentError for a conversation that is not of this version of the layout.
    """
    said = messages(layout, prompt)
    if said is None:
        before, behind = text_around(layout)
        return {"prompt": prompt, **{name: f"{before}{answer}{behind}" for name, answer in answers.items()}}
    told = {name: [{"role": "assistant", "content": answer}] for name, answer in answers.items()}
    return {"prompt": said, **told, "chat_template_kwargs": THINKING_OFF}
