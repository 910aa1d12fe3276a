"""What a world's texts mean: what features, skills, probes, prompts and the oracle's advice read of them.

Text in, text out: nothing here plays or knows a model. A world that says nothing of its own has :data:`WORDS` and
:func:`explain`, which hold for any text game whose commands begin with a verb.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol


class Words:
    """The vocabulary of a world; a world subclasses it and says what differs.

    Verbs and key tokens name columns of the features table, so their order is part of its content.
    """

    memo_label = "notes"  # what a compact prompt calls the documents read so far
    verbs: tuple[str, ...] = ("go", "take", "open", "examine")  # counted among the commands, the others together
    key_tokens: tuple[str, ...] = ("closed", "open", "nothing", "can't")  # counted in what is seen, lower case
    moves: tuple[str, ...] = ("go",)  # verbs that lead elsewhere
    progress = re.compile(r"score has (just )?gone up", re.IGNORECASE)  # in an observation: something was achieved
    refused = re.compile(r"\b(can't|cannot|couldn't|already)\b", re.IGNORECASE)  # ... or came to nothing
    easy_skills: tuple[str, ...] = ()  # learnt at once: the built-in student is shown fewer examples of them

    def verb_of(self, command: str) -> str:
        """The first word of a command where it is one of :attr:`verbs`, else "other"."""
        first = command.split(" ", 1)[0]
        return first if first in self.verbs else "other"

    def is_move(self, command: str) -> bool:
        """Whether a command leads elsewhere."""
        verb, blank, _ = command.partition(" ")
        return bool(blank) and verb in self.moves

    def skill_of(self, command: str) -> str:
        """The skill that a command exercises: its verb, in lower case; "" for no command."""
        return next(iter(command.lower().split()), "")

    def place_of(self, scene: str) -> str:
        """Where the agent is, which scenes tell first: ``hall | table: key | exits: north``."""
        return scene.split("|", 1)[0].strip()

    def kind_of(self, command: str) -> str:
        """The kind of step that a command is, for the probe of goal tracking: its first word."""
        return command.split()[0]


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why one command is right where another is wrong. Each text has several wordings, of which one is chosen.

    ``error_type`` is affordance_miss, attribute_confusion, planning_error or exploration_failure; ``confidence``
    is low, medium or high.
    """

    rationale: tuple[str, ...]  # why the suggested command is right
    diagnosis: tuple[str, ...]  # what is missing; a wording that names the suggested command is passed over
    why_bad: tuple[str, ...]  # why the other command is poor
    error_type: str
    confidence: str


class Explain(Protocol):
    """A world's reasons: for a student that knows ``goal``, has read ``memo`` and sees ``scene``.

    ``suggested`` need not be the expert's command: examples that teach a student to read take a random one.
    """

    def __call__(self, suggested: str, bad: str, *, memo: str, goal: str, scene: str) -> Reasons: ...


WORDS = Words()


def explain(suggested: str, bad: str, *, memo: str, goal: str, scene: str) -> Reasons:
    """Reasons that hold in any world, and so say little."""
    return Reasons(
        rationale=("It is the next step.", "The goal needs it now."),
        diagnosis=("Something is left to do.", "One step remains open here."),
        why_bad=("That gets nothing done.", "It changes nothing that matters."),
        error_type="affordance_miss",
        confidence="medium",
    )


def tidy(text: str) -> str:
    """Text without indentation, trailing blanks and empty lines."""
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)
