"""A teacher that plays: an endpoint asked for the command at every decision, as it is asked for advice.

The same client, cache, ledger and budget: an answer that was paid for is on disk before it is used, so what a budget or
an interrupt ends goes on from there. An answer is one of the admissible commands, character by character, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from teachable.config.teacher import Teacher
from teachable.teacher import prompt
from teachable.teacher.asking import InVain, Outcome, ask_each, converse
from teachable.teacher.cache import RequestCache
from teachable.teacher.errors import BudgetExceeded, TeacherError
from teachable.teacher.ledger import Ledger
from teachable.teacher.openai_client import Endpoint

_REPEAT = 1000  # attempts that one repetition may have: no more are ever made, so that repetitions share no key

_SYSTEM = """\
You play a text-based game. You are shown the goal, what has happened so far, what you can see, and the commands that \
are admissible now. Choose the admissible command that is best for reaching the goal. Answer with one JSON object with \
exactly this key:
- "command": exactly one of the admissible commands, copied character by character."""


class Move(BaseModel):
    """What a teacher answers that plays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str = Field(description="Exactly one of the admissible commands, copied verbatim.")


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision to ask about: its columns in SNAPSHOTS, its name for the ledger, and which repetition it is (equal
    questions of one repetition have one answer)."""

    columns: Mapping[str, Any]
    label: str
    repeat: int = 0


class Player:
    """Asks one endpoint for commands. :meth:`close` it."""

    def __init__(self, settings: Teacher, *, sleep: Callable[[float], object] | None = None) -> None:
        ledger = Ledger(Path(settings.cache), settings.budget_usd)
        self._endpoint = Endpoint(settings, RequestCache(settings.cache), ledger, sleep=sleep)
        self._in_vain = InVain("decisions of the expert have no valid command")
        self.asked = 0
        self.unanswered: dict[str, str] = {}  # label -> why there is no command

    @property
    def deterministic(self) -> bool:
        """Whether every repetition has the same answers: at temperature 0 none is asked for a second."""
        return self._endpoint.settings.temperature == 0

    def commands(self, decisions: Sequence[Decision]) -> list[str | None]:
        """A command for each decision; None where no answer was accepted, which :attr:`unanswered` explains.

        Raises :class:`BudgetExceeded`, :class:`TeacherUnavailable` or :class:`TeacherError`, the last also when the
        first decisions all stay without a valid command for one reason; what was answered is in the cache by then.
        """
        chosen: list[str | None] = [None] * len(decisions)
        asked: dict[int, Decision] = {}
        for index, decision in enumerate(decisions):
            only = decision.columns["commands"]
            if len(only) == 1:
                chosen[index] = only[0]
            else:
                asked[index] = decision
        self.asked += len(asked)

        def note(index: int, found: tuple[str | None, str, str]) -> TeacherError | None:
            chosen[index], kind, problem = found
            if chosen[index] is None:
                self.unanswered[decisions[index].label] = problem
            return self._in_vain.note(chosen[index] is not None, kind, problem)

        try:
            ask_each(self._endpoint, asked, self._ask, note, who="expert")
        except BudgetExceeded as error:
            raise BudgetExceeded(f"expert: the teacher cannot play on; {error}") from None
        return chosen

    def close(self) -> None:
        """End the connections."""
        self._endpoint.close()

    def _ask(self, decision: Decision) -> tuple[str | None, str, str]:
        """The command, or None with kind and reason."""
        settings, commands = self._endpoint.settings, decision.columns["commands"]
        found: Outcome[Move] = converse(
            self._endpoint,
            messages(decision.columns),
            prompt.response_format(
                settings.response_format, commands, settings.enum_actions, model=Move, field="command", name="move"
            ),
            label=decision.label,
            parse=lambda text, truncated=False: prompt.parse_as(Move, text, truncated=truncated),
            problem_of=lambda move: _judge(move, commands),
            correction=lambda text, problem: prompt.correction(text, problem, commands, "command"),
            first=0 if self.deterministic else decision.repeat * _REPEAT,
        )
        if found.answer is not None:
            return found.answer.command, "", ""
        return None, found.kind, found.reason


def messages(decision: Mapping[str, Any]) -> list[prompt.Message]:
    """The question about a decision: the player sees what the student could see, not its choice nor its failure."""
    return [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": "\n\n".join(prompt.situation(decision, "YOU SEE"))},
    ]


def _judge(move: Move | str, commands: Sequence[str]) -> tuple[str, str]:
    if isinstance(move, str):
        return "form", move
    if move.command in commands:
        return "", ""
    return "command", f"command {move.command!r} is not one of the admissible commands"
