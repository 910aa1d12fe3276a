"""The contract of one piece of advice: what a teacher must answer, and what is accepted.

:class:`Answer` is the structured output that a teacher returns, :func:`check` the rules it has to meet
against one snapshot, :class:`AdviceText` the accepted advice as the rest of the project reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from teachable.teacher.errors import AdviceError

ErrorType = Literal["affordance_miss", "attribute_confusion", "planning_error", "exploration_failure"]
Confidence = Literal["low", "medium", "high"]
ERROR_TYPES: tuple[str, ...] = get_args(ErrorType)

_TEXT_FIELDS = ("rationale", "diagnosis", "why_bad")
_ARTICLES = frozenset(("a", "an", "the", "some", "its", "their", "your", "this", "that"))
_LINKS = frozenset(("with", "from", "in", "on", "into", "onto", "to", "at", "of", "using", "and"))
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]")  # line breaks and tabs are text
_IRREGULAR = {
    "take": ("took", "taken"),
    "go": ("goes", "went", "gone"),
    "eat": ("ate", "eaten"),
    "drink": ("drank", "drunk"),
    "put": ("putting",),
    "cut": ("cutting",),
    "read": ("reading",),
}


class Answer(BaseModel):
    """What the teacher answers, and the JSON schema sent to servers with structured output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suggested_action: str = Field(description="Exactly one of the admissible commands, copied verbatim.")
    rationale: str = Field(description="1-2 sentences: why the suggested command is right here.")
    diagnosis: str = Field(
        description="1-2 sentences: what is going wrong or missing, WITHOUT naming the suggested command."
    )
    why_bad: str = Field(description="1-2 sentences: why the agent's command is poor here.")
    error_type: ErrorType
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class AdviceText:
    """Accepted advice on one snapshot.

    ``bad_action`` is the command that a contrast holds against ``suggested_action`` (see :func:`bad_action`).
    Construction raises :class:`AdviceError` when a text is blank, when the two actions are the same, or when
    the diagnosis names the suggested action.
    """

    suggested_action: str
    bad_action: str
    rationale: str
    diagnosis: str
    why_bad: str
    tried: bool = True  # whether the bad action is what the student did there

    def __post_init__(self) -> None:
        for name in ("suggested_action", "bad_action", *_TEXT_FIELDS):
            if not getattr(self, name).strip():
                raise AdviceError(f"advice: `{name}` is empty; ask the teacher again or leave the snapshot out.")
        if self.suggested_action == self.bad_action:
            raise AdviceError(f"advice: the bad action equals the suggested one, {self.suggested_action!r}.")
        if names_action(self.diagnosis, self.suggested_action):
            raise AdviceError(
                f"advice: the diagnosis {self.diagnosis!r} names the suggested action {self.suggested_action!r}; a "
                "hint must not contain the answer."
            )

    @classmethod
    def from_rows(cls, snapshot: Mapping[str, Any], advice: Mapping[str, Any] | None) -> AdviceText:
        """Advice from a row of SNAPSHOTS and its row of ADVICE (or one row of LABELED joined with the texts).

        Raises :class:`AdviceError` when the row is missing, belongs to another snapshot, is marked invalid,
        or suggests a command that is not admissible in the snapshot.
        """
        name = snapshot.get("snapshot_id")
        if advice is None:
            raise AdviceError(f"snapshot {name}: there is no advice; run the advice stage, or leave the snapshot out.")
        if advice.get("snapshot_id", name) != name:
            raise AdviceError(f"snapshot {name}: the advice belongs to {advice['snapshot_id']}.")
        if not advice.get("valid"):
            raise AdviceError(
                f"snapshot {name}: the advice is not valid ({advice.get('reason')}); leave the snapshot out."
            )
        blank = [key for key in ("suggested_action", *_TEXT_FIELDS) if not advice.get(key)]
        if blank:
            raise AdviceError(f"snapshot {name}: the advice lacks {', '.join(blank)}.")
        suggested = advice["suggested_action"]
        if suggested not in snapshot["commands"]:
            raise AdviceError(f"snapshot {name}: the advised {suggested!r} is not an admissible command there.")
        bad = bad_action(snapshot["student_action"], suggested, snapshot["commands"], snapshot["logp"], name=str(name))
        return cls(
            suggested_action=suggested,
            bad_action=bad,
            **{key: advice[key] for key in _TEXT_FIELDS},
            tried=bad == snapshot["student_action"],
        )


def bad_action(
    student_action: str,
    suggested: str,
    commands: Sequence[str],
    logp: Sequence[float] | None,
    *,
    name: str = "this decision",
) -> str:
    """The command to hold against ``suggested``: what the student did, or its runner-up where it did the right thing.

    A failed episode has right decisions too. There the student's own most probable other command takes the
    place of the bad action (``logp`` aligned with ``commands``, nats; ties go to the earlier command). Raises
    :class:`AdviceError` when there is no other command or no distribution to choose it by.
    """
    if student_action != suggested:
        return student_action
    others = [index for index, command in enumerate(commands) if command != suggested]
    if not others:
        raise AdviceError(f"{name}: {suggested!r} is the only admissible command, so there is nothing to contrast.")
    if logp is None or len(logp) != len(commands):
        raise AdviceError(
            f"{name}: the student did {suggested!r}, as advised, and its distribution over the {len(commands)} "
            "commands is missing, so its runner-up is unknown."
        )
    return commands[max(others, key=lambda index: (logp[index], -index))]


def check(answer: Answer, commands: Sequence[str]) -> str | None:
    """What is wrong with an answer, in words a teacher can act on; ``None`` when it is accepted.

    Membership in ``commands`` is exact: case and blanks count, nothing is mapped to a near match.
    """
    if answer.suggested_action not in commands:
        return f"suggested_action {answer.suggested_action!r} is not one of the admissible commands"
    for field in _TEXT_FIELDS:
        if problem := plain_text(field, getattr(answer, field)):
            return problem
    if names_action(answer.diagnosis, answer.suggested_action):
        return "diagnosis names the suggested command; it must say what is wrong without naming the command"
    return None


def plain_text(field: str, text: str) -> str | None:
    """What is wrong with the ``text`` of a field of any answer; ``None`` when it is plain text."""
    if not text.strip():
        return f"{field} is empty"
    if _NO_TEXT.search(text):
        return f"{field} holds control characters or broken ones; write plain text"
    return None


def names_action(text: str, action: str) -> bool:
    """Whether ``text`` gives ``action`` away.

    True when the action occurs verbatim (case and articles ignored), or when one sentence holds the action's
    verb, in any form, and then all its other content words in order: "taking the lamp off the shelf" names
    "take lamp from shelf".
    """
    wanted = _words(action)
    if not wanted:
        return False
    content = [word for word in wanted if word not in _LINKS] or wanted
    verb_forms = _forms(content[0])
    for sentence in re.split(r"[.!?;]+", text):
        words = _words(sentence)
        if any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1)):
            return True
        rest = iter(words)
        if any(word in verb_forms for word in rest) and all(word in rest for word in content[1:]):
            return True
    return False


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()) if word not in _ARTICLES]


@lru_cache(maxsize=256)
def _forms(verb: str) -> frozenset[str]:
    stem = verb[:-1] if verb.endswith("e") else verb
    double = verb + verb[-1]
    regular = (
        verb,
        verb + "s",
        verb + "es",
        verb + "d",
        verb + "ed",
        stem + "ing",
        double + "ing",
        double + "ed",
    )
    return frozenset((*regular, *_IRREGULAR.get(verb, ())))
