"""Why a command is right in TextWorld's games and another is not: a small vocabulary, short sentences, and nothing
that is not so.

The words come from what the student could see: the documents read (memo), the goal and the two commands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from teachable.worlds.words import Reasons

_CUTS = {"slice": "sliced", "dice": "diced", "chop": "chopped"}
_HEATS = {"oven": "roasted", "stove": "fried", "bbq": "grilled"}
_MANNERS = {
    "sliced": r"slic",
    "diced": r"dic(?:e|ing)",
    "chopped": r"chop",
    "roasted": r"roast",
    "fried": r"fr(?:y|ied)",
    "grilled": r"grill",
}
_PASSAGES = re.compile(r"\b(?:door|gate|hatch|portal|gateway|passageway)\b")
_TOOLS = re.compile(r"\b(?:knife|key|latchkey|passkey|keycard)\b")
_DOCUMENTS = re.compile(r"book")
_DONE = ("burned", *_HEATS.values())

_AFFORDANCE, _ATTRIBUTE = "affordance_miss", "attribute_confusion"
_PLANNING, _EXPLORATION = "planning_error", "exploration_failure"


@dataclass(frozen=True, slots=True)
class Command:
    """A command taken apart: ``kind`` is what it is for, ``manner`` how a cut or cooked thing will be."""

    kind: str  # read go open unlock take cut cook prepare eat leave other
    object: str
    manner: str = ""


@dataclass(frozen=True, slots=True)
class _Fault:
    error_type: str
    confidence: str
    texts: tuple[str, ...]  # wordings of why the command is poor


def understand(command: str) -> Command:
    """Take a command of a text game apart."""
    verb, _, rest = command.partition(" ")
    target, _, tool = re.sub(r" (with|from|in|into|on|onto) ", "\n", rest, count=1).partition("\n")
    if verb in ("examine", "read") and "book" in target:
        return Command("read", target)
    if verb in _CUTS:
        return Command("cut", target, _CUTS[verb])
    if verb == "cook":
        return Command("cook", target, _HEATS.get(tool.lower(), "cooked"))
    if verb in ("go", "open", "unlock", "take", "prepare", "eat"):
        return Command(verb, target)
    if verb in ("drop", "put", "insert"):
        return Command("leave", target)
    return Command("other", target or verb)


def explain(suggested: str, bad: str, *, memo: str, goal: str, scene: str) -> Reasons:
    """Why ``suggested`` and not ``bad``; see :class:`teachable.worlds.words.Explain`."""
    good, poor = understand(suggested), understand(bad)
    memo, scene = memo.lower(), scene.lower()
    known = f"{memo}\n{goal.lower()}"
    fault = _fault(good, poor, memo, known, scene)
    return Reasons(_reason(good, memo, known), _diagnosis(good), fault.texts, fault.error_type, fault.confidence)


def _reason(good: Command, memo: str, known: str) -> tuple[str, ...]:
    """Why the suggested command is right."""
    thing = good.object
    match good.kind:
        case "read":
            return ("The recipe is in there.", "It tells what to do.", "The recipe is not known yet.")
        case "go":
            return (
                "The next step is in another room.",
                "The way goes on there.",
                "What is needed is not here.",
            )
        case "unlock":
            return ("It is locked and the key is here.", "It stays shut without the key.")
        case "open" if _PASSAGES.search(thing):
            return ("The way leads through it.", "It blocks the way.", "The way on is closed.")
        case "open":
            return ("Something needed is inside.", "It is closed and holds what is needed.")
        case "take" if _mentions(memo, thing):
            return ("The recipe needs it.", "The recipe asks for it.", "It is in the recipe.")
        case "take" if _mentions(known, thing):
            return ("The goal asks for it.", "It is part of the goal.")
        case "take" if _TOOLS.search(thing):
            return ("It is a tool for the next step.", "It is needed as a tool.")
        case "take":
            return ("It is needed later.", "It is of use later.")
        case "cut" | "cook" if good.manner in _wanted(memo, thing):
            return (f"The recipe wants it {good.manner}.", f"It must be {good.manner}.")
        case "cut" | "cook":
            return (f"It has to be {good.manner}.", f"Then it is {good.manner}, as needed.")
        case "prepare":
            return ("All parts are ready.", "Everything in the recipe is done.")
        case "eat":
            return ("The meal is ready.", "That ends the task.")
        case "leave":
            return ("It belongs there.", "It is not needed in hand.")
        case _:
            return ("It is the next step.", "The goal needs it now.")


def _diagnosis(good: Command) -> tuple[str, ...]:
    """What is missing; names the object or the kind of subgoal, never the command."""
    thing = good.object
    match good.kind:
        case "read":
            return ("The recipe is not known yet.", "Nobody knows yet what the dish needs.")
        case "go":
            return ("What is needed is not in this room.", "Nothing more is to be done here now.")
        case "unlock":
            return (f"The {thing} is still locked.", f"Without a key the {thing} stays shut.")
        case "open":
            return (f"The {thing} is still closed.", f"The {thing} has not been dealt with yet.")
        case "take":
            return (f"The {thing} is not in hand yet.", f"The {thing} is missing in the hands.")
        case "cut":
            return (f"The {thing} is not cut as it should be.", f"The {thing} still needs a knife.")
        case "cook":
            return (f"The {thing} has not seen the right heat.", f"The {thing} still needs heat.")
        case "prepare":
            return ("All parts are ready but there is no meal.", "The parts are not one dish yet.")
        case "eat":
            return ("The meal is there and still whole.", "Only the very last step is missing.")
        case "leave":
            return (f"The {thing} is not in its place.", f"The {thing} is still in hand.")
        case _:
            return (f"The {thing} is not dealt with yet.", f"Something about the {thing} is still open.")


def _fault(good: Command, poor: Command, memo: str, known: str, scene: str) -> _Fault:
    """What kind of error ``poor`` is where ``good`` is right, by rule, and how to say it."""
    thing = poor.object
    asked = _mentions(known, thing) and not _DOCUMENTS.search(thing)
    if good.kind == "read":
        return _Fault(_EXPLORATION, "high", ("The recipe is not read yet.", "It acts before the recipe is known."))
    match poor.kind:
        case "cut" | "cook":
            return _fault_of_preparing(good, poor, memo, scene)
        case "go" if good.kind == "go":
            return _Fault(_EXPLORATION, "medium", ("That way leads away.", "That is the wrong way to go."))
        case "go":
            return _Fault(_EXPLORATION, "medium", ("Something is still to do here.", "It leaves work undone here."))
        case "eat" if asked:
            return _Fault(_AFFORDANCE, "high", ("The recipe still needs it.", "Then the dish cannot be made."))
        case "take" if asked:
            return _Fault(_PLANNING, "medium", ("Something else comes first.", "It can wait."))
        case "take" if good.kind == "take":
            return _Fault(_ATTRIBUTE, "medium", ("It is the wrong thing.", "That is not the one needed."))
        case "take":
            return _Fault(_AFFORDANCE, "medium", ("Nothing asks for it.", "It is not needed now."))
        case "open" if good.kind == "open":
            return _Fault(_ATTRIBUTE, "medium", ("That is the wrong one.", "Another one matters now."))
        case "open" | "unlock" | "prepare":
            return _Fault(_PLANNING, "medium", ("That is not needed now.", "Something else comes first."))
        case "leave" if asked:
            return _Fault(_PLANNING, "high", ("It is still needed.", "That puts away what is needed."))
        case _:
            return _Fault(_AFFORDANCE, "medium", ("That gets nothing done.", "It changes nothing that matters."))


def _fault_of_preparing(good: Command, poor: Command, memo: str, scene: str) -> _Fault:
    thing, manner = poor.object, poor.manner
    wanted = _wanted(memo, thing)
    done = next((word for word in _DONE if re.search(rf"\b{re.escape(thing.lower())} \([^)]*\b{word}\b", scene)), "")
    if poor.kind == "cook" and thing == "meal":
        return _Fault(_AFFORDANCE, "high", ("The meal is ready as it is.", "The meal needs nothing more."))
    if poor.kind == "cook" and done:
        return _Fault(_AFFORDANCE, "high", (f"It is already {done}.", "That would only burn it."))
    rival = (good.kind, good.object) == (poor.kind, thing) and good.manner != manner
    if rival or (wanted and manner not in wanted):
        return _Fault(_ATTRIBUTE, "high", (f"It should not be {manner}.", "That is the wrong way."))
    if _mentions(memo, thing):
        return _Fault(_PLANNING, "medium", ("Something else comes first.", "It is too early for that."))
    return _Fault(_ATTRIBUTE, "medium", ("It is the wrong thing.", "That is not the one needed."))


def _mentions(text: str, thing: str) -> bool:
    return bool(thing) and re.search(rf"\b{re.escape(thing.lower())}\b", text) is not None


def _wanted(memo: str, thing: str) -> set[str]:
    """How the recipe wants ``thing``: read from the clauses of its lines that name it."""
    wanted: set[str] = set()
    for line in re.split(r"[\n.;]+", memo):
        if not _mentions(line, thing):
            continue
        clauses = [clause for clause in line.split(",") if _mentions(clause, thing)]
        found = _manners(" ".join(clauses))
        wanted |= found or _manners(line)
    return wanted


def _manners(text: str) -> set[str]:
    return {manner for manner, stem in _MANNERS.items() if re.search(rf"\b{stem}", text)}
