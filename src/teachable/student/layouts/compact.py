"""The built-in student's prompt: a few short lines, so that a small model on a CPU is fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from teachable.student.errors import StudentError
from teachable.student.prompt import Context, Verbosity, one_line, shorten


class CompactLayout:
    """Lines `goal:` or what the world calls the memo, the scene, `did:`, `tip:`, `act:`; commands are not listed.

    The `tip:` line is always there, with a dash for no patch, so that a patch changes that line and nothing
    else. Of the history only the last three commands are shown.
    """

    name = "compact"
    version = 1
    verbosity: Verbosity = "compact"
    templated = False
    special_tokens = False
    command_prefix = " "
    end = "\n"
    goal_characters = 72
    last_commands = 3

    def __init__(self, memo_label: str) -> None:
        self.memo_label = memo_label

    @classmethod
    def of(cls, record: Mapping[str, Any], tokenizer: Any) -> CompactLayout:
        """Raises StudentError where the student's file does not say what the world calls the memo."""
        if "memo_label" not in record:
            raise StudentError("the student's file says nothing of memo_label; build the student again")
        return cls(str(record["memo_label"]))

    def render(self, context: Context) -> str:
        task = (
            f"{self.memo_label}: {one_line(context.memo)}"
            if context.memo
            else f"goal: {shorten(context.goal, self.goal_characters)}"
        )
        did = "; ".join(behind.command for behind in context.history[-self.last_commands :])
        scene = "\n".join(one_line(line) for line in context.scene.splitlines() if line.strip())
        return f"{task}\n{scene}\ndid: {did or '-'}\ntip: {one_line(context.patch) or '-'}\nact:"


LAYOUT = CompactLayout
