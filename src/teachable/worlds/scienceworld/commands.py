"""Which commands are offered: ScienceWorld's own valid ones of some verbs, about things within reach.

ScienceWorld calls 250 to 1,200 commands valid: it looks into closed containers, moves anything into anything (rooms and
doors included), and any two things can be connected or used on each other. Here each verb asks the engine for its own
valid commands about what can be reached, and leaves out rooms, doors, the air and the agent where they make no sense.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """How the engine calls a verb's commands, and how they begin."""

    action: str  # an object of scienceworld.actions that generates them
    start: str


VERBS = {
    "go": Verb("ActionMoveThroughDoor", "go to "),
    "focus": Verb("ActionFocus", "focus on "),
    "take": Verb("ActionPickUpObjectIntoInventory", "pick up "),
    "move": Verb("ActionMoveObject", "move "),
    "open": Verb("ActionOpenDoor", "open "),
    "close": Verb("ActionCloseDoor", "close "),
    "drop": Verb("ActionPutDownObjectIntoInventory", "put down "),
    "activate": Verb("ActionActivate", "activate "),
    "deactivate": Verb("ActionDeactivate", "deactivate "),
    "read": Verb("ActionRead", "read "),
    "eat": Verb("ActionEat", "eat "),
    "wait": Verb("ActionWait1", "wait"),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What the agent can reach: the engine's name of each object, by its id."""

    room: str
    names: dict[int, str]
    held: frozenset[int]  # those in the inventory

    def name(self, id: int) -> str:
        """How the object is called here; "" where it is out of reach."""
        return self.names.get(id, "")

    def id(self, name: str) -> int | None:
        """The object called so here; None where there is none."""
        return next((id for id, known in self.names.items() if known == name), None)


def offered(verb: str, valid: Iterable[str], reach: Reach, places: Iterable[str], holders: Sequence[str]) -> list[str]:
    """Those of the ``valid`` commands of ``verb`` that are offered.

    ``places``: names of rooms and doors. ``holders``: how the names of containers end that things may be moved into;
    none: into all. A room is gone to by its own name, not by its door's.
    """
    start, dropped = VERBS[verb].start, {*places, reach.room, "air", "agent"}
    chosen = []
    for command in valid:
        rest = command.removeprefix(start)
        if verb == "go":
            keep = "door" not in rest.split()
        elif verb == "move":
            keep = any(
                thing not in dropped and holder not in dropped and (not holders or holder.endswith(tuple(holders)))
                for thing, holder in split_move(command)
            )
        else:
            keep = rest not in dropped
        if keep:
            chosen.append(command)
    return chosen


def split_move(command: str) -> list[tuple[str, str]]:
    """The ways to read ``move A to B``: pairs (A, B).

    >>> split_move("move egg dove egg in inventory to green box")
    [('egg dove egg in inventory', 'green box')]
    """
    words = command.removeprefix("move ").split(" ")
    return [(" ".join(words[:at]), " ".join(words[at + 1 :])) for at, word in enumerate(words) if word == "to"]


def pairs(text: str) -> dict[int, str]:
    """Scala's lines of a map from ids to names.

    >>> pairs("17523 -> air")
    {17523: 'air'}
    """
    split = (line.partition(" -> ") for line in text.splitlines() if line)
    return {int(id): name for id, _, name in split}
