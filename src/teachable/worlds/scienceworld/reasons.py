"""Why a command is right in ScienceWorld's tasks and another is not: short, and nothing that is not so."""

from __future__ import annotations

from teachable.worlds.scienceworld.commands import split_move
from teachable.worlds.words import Reasons

_AFFORDANCE, _ATTRIBUTE = "affordance_miss", "attribute_confusion"
_PLANNING, _EXPLORATION = "planning_error", "exploration_failure"


def explain(suggested: str, bad: str, *, memo: str, goal: str, scene: str) -> Reasons:
    """Why ``suggested`` and not ``bad``; see :class:`teachable.worlds.words.Explain`."""
    rationale, diagnosis = _right(_kind(suggested))
    why_bad, error_type, confidence = _wrong(suggested, bad)
    return Reasons(rationale, diagnosis, why_bad, error_type, confidence)


def _kind(command: str) -> str:
    return command.split(" ", 1)[0]


def _right(kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    match kind:
        case "go":
            return ("The next step is in another room.", "The way goes on there."), (
                "What is needed is not in this room.",
                "Nothing more is to be done here now.",
            )
        case "focus":
            return ("It is what the task asks for.", "It is the thing to find."), (
                "The thing to find is here and not chosen yet.",
                "The task asks for a choice now.",
            )
        case "pick":
            return ("It must be brought elsewhere.", "It is needed in another room."), (
                "What must be brought is not in hand yet.",
                "It cannot be brought before it is carried.",
            )
        case "move":
            return ("It belongs into the box.", "The task wants it there."), (
                "The thing is not in the box yet.",
                "Only the very last step is missing.",
            )
        case _:
            return ("It is the next step.", "The goal needs it now."), (
                "Something is left to do.",
                "One step remains open here.",
            )


def _wrong(good: str, poor: str) -> tuple[tuple[str, ...], str, str]:
    """Wordings of why ``poor`` is poor where ``good`` is right, what kind of error it is, how sure that is."""
    match _kind(good), _kind(poor):
        case "focus", "focus":
            return ("It is the wrong thing.", "That is not what the task asks for."), _ATTRIBUTE, "medium"
        case _, "focus":
            return ("It is not the time to choose.", "Choosing that can lose the task."), _ATTRIBUTE, "medium"
        case "go", "go":
            return ("That is the wrong way to go.", "That way leads away."), _EXPLORATION, "medium"
        case _, "go":
            return ("Something is still to do here.", "It leaves work undone here."), _EXPLORATION, "medium"
        case "move", "move" if {thing for thing, _ in split_move(good)} == {thing for thing, _ in split_move(poor)}:
            return ("It does not belong there.", "That is the wrong place."), _ATTRIBUTE, "high"
        case ("move", "move") | ("pick", "pick"):
            return ("It is the wrong thing.", "That is not the one needed."), _ATTRIBUTE, "medium"
        case _, "move" | "pick" | "open":
            return ("That is not needed now.", "Something else comes first."), _PLANNING, "medium"
        case _:
            return ("That gets nothing done.", "It changes nothing that matters."), _AFFORDANCE, "medium"
