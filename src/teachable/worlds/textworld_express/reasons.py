"""Why a command is right in TextWorldExpress's games and another is not: short, and nothing that is not so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from teachable.worlds.words import Reasons

_MANNERS = {"slice": "sliced", "dice": "diced", "chop": "chopped"}
_DEVICES = {"oven": "roasted", "stove": "fried", "barbeque": "grilled", "toaster": "grilled"}
_STEMS = {
    "sliced": r"slice",
    "diced": r"dice",
    "chopped": r"chop",
    "roasted": r"roast",
    "fried": r"fry",
    "grilled": r"grill",
}

_AFFORDANCE, _ATTRIBUTE = "affordance_miss", "attribute_confusion"
_PLANNING, _EXPLORATION = "planning_error", "exploration_failure"


@dataclass(frozen=True, slots=True)
class Command:
    """A command taken apart: ``kind`` is what it is for, ``manner`` how a cut or cooked thing will be."""

    kind: str  # read move door open take put prepare-food make eat other
    object: str
    place: str = ""
    manner: str = ""


def understand(command: str) -> Command:
    """Take a command apart."""
    verb, _, rest = command.partition(" ")
    thing, _, place = rest.partition(" in ")
    if command.startswith(("open door to ", "close door to ")):
        return Command("door", "door", rest.removeprefix("door to "))
    if verb in _MANNERS:
        return Command("prepare-food", rest, manner=_MANNERS[verb])
    if verb == "cook":
        return Command("prepare-food", thing, place, _DEVICES.get(place, "cooked"))
    if verb == "prepare":
        return Command("make", rest)
    if verb in ("read", "move", "open", "take", "put", "eat"):
        return Command(verb, thing if verb == "put" else rest, place if verb == "put" else "")
    return Command("other", rest or verb)


def explain(suggested: str, bad: str, *, memo: str, goal: str, scene: str) -> Reasons:
    """Why ``suggested`` and not ``bad``; see :class:`teachable.worlds.words.Explain`."""
    if scene.startswith("Simon says"):
        return Reasons(
            ("Simon says so.", "That is what Simon says."),
            ("What Simon says must be done word by word.", "Only what Simon says counts."),
            ("Simon says something else.", "That is not what Simon says."),
            _ATTRIBUTE,
            "high",
        )
    good, poor, memo = understand(suggested), understand(bad), memo.lower()
    rationale, diagnosis = _right(good, memo, goal.lower())
    why_bad, kind, confidence = _wrong(good, poor, memo)
    return Reasons(rationale, diagnosis, why_bad, kind, confidence)


def _right(good: Command, memo: str, goal: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why the suggested command is right, and what is missing before it."""
    thing = good.object
    match good.kind:
        case "read":
            return ("It tells what to do.", "What it says is not known yet."), (
                "Nobody knows yet what to do.",
                f"The {thing} has not been read yet.",
            )
        case "move":
            return ("The next step is in another room.", "The way goes on there."), (
                "What is needed is not in this room.",
                "Nothing more is to be done here now.",
            )
        case "door":
            return ("The way leads through it.", "It blocks the way."), (
                "The way on is closed.",
                f"The door to the {good.place} is still closed.",
            )
        case "open":
            return ("Something needed is inside.", "It is closed and it is needed open."), (
                f"The {thing} is still closed.",
                f"The {thing} has not been dealt with yet.",
            )
        case "take":
            asked = _mentions(memo, thing) or _mentions(goal, thing)
            why = ("It is asked for.", "It is what is wanted now.") if asked else ("It is needed now.", "It is of use.")
            return why, (f"The {thing} is not in hand yet.", f"The {thing} is missing in the hands.")
        case "put":
            return ("It belongs there.", "That is its place."), (
                f"The {thing} is not in its place yet.",
                f"The {thing} is still in hand.",
            )
        case "prepare-food":
            return (f"The recipe wants it {good.manner}.", f"It must be {good.manner}."), (
                f"The {thing} is not {good.manner} yet.",
                f"The {thing} is not as the recipe wants it.",
            )
        case "make":
            return ("All parts are ready.", "Everything in the recipe is done."), (
                "All parts are ready but there is no meal.",
                "The parts are not one dish yet.",
            )
        case "eat":
            return ("The meal is ready.", "That ends the task."), (
                "The meal is there and still whole.",
                "Only the very last step is missing.",
            )
        case _:
            return ("It is the next step.", "The goal needs it now."), (
                "Something is left to do.",
                "One step remains open here.",
            )


def _wrong(good: Command, poor: Command, memo: str) -> tuple[tuple[str, ...], str, str]:
    """Wordings of why ``poor`` is poor where ``good`` is right, what kind of error it is, how sure that is."""
    thing = poor.object
    if good.kind == "read":
        return ("It acts before it is known what to do.", "What to do is not known yet."), _EXPLORATION, "high"
    match poor.kind:
        case "prepare-food" if poor.manner not in _wanted(memo, thing) and _mentions(memo, thing):
            return (f"It should not be {poor.manner}.", "That is the wrong way."), _ATTRIBUTE, "high"
        case "prepare-food" if not _mentions(memo, thing):
            return ("It is the wrong thing.", "Nothing asks for that."), _ATTRIBUTE, "medium"
        case "prepare-food" | "make":
            return ("Something else comes first.", "It is too early for that."), _PLANNING, "medium"
        case "move" if good.kind == "move":
            return ("That is the wrong way to go.", "That way leads away."), _EXPLORATION, "medium"
        case "move":
            return ("Something is still to do here.", "It leaves work undone here."), _EXPLORATION, "medium"
        case "eat" if _mentions(memo, thing):
            return ("Then the dish cannot be made.", "The recipe still needs it."), _AFFORDANCE, "high"
        case "put" if good.kind == "put" and good.object == thing:
            return ("It does not belong there.", "That is the wrong place."), _ATTRIBUTE, "high"
        case "put":
            return ("That puts away what is in hand.", "That is not its turn."), _PLANNING, "medium"
        case "take" if good.kind == "take":
            return ("It is the wrong thing.", "That is not the one needed."), _ATTRIBUTE, "medium"
        case "open" | "door" | "take":
            return ("That is not needed now.", "Something else comes first."), _PLANNING, "medium"
        case _:
            return ("That gets nothing done.", "It changes nothing that matters."), _AFFORDANCE, "medium"


def _mentions(text: str, thing: str) -> bool:
    return bool(thing) and re.search(rf"\b{re.escape(thing.lower())}\b", text) is not None


def _wanted(memo: str, thing: str) -> set[str]:
    """How the recipe wants ``thing``: read from its directions that name it."""
    steps = [step for step in memo.partition("directions:")[2].split(",") if _mentions(step, thing)]
    return {manner for manner, stem in _STEMS.items() if any(re.search(rf"\b{stem}", step) for step in steps)}
