"""What is where: the object trees that the engine prints, taken apart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DIRECTIONS = ("north", "south", "east", "west")
_FLAGS = {
    "isMovable": "movable",
    "isReadable": "readable",
    "isCookingDevice": "heats",
    "isEdible": "edible",
    "isFried": "fried",
    "isRoasted": "roasted",
    "isGrilled": "grilled",
    "isChopped": "chopped",
    "isSliced": "sliced",
    "isDiced": "diced",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing and what is in it or on it."""

    name: str
    words: frozenset[str]  # of movable readable heats edible, raw, and how it was cut and cooked
    holder: bool  # whether things can be in or on it
    openable: bool
    open: bool
    contents: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Exit:
    """A way out of a room."""

    room: str
    open: bool | None  # of the door; None where there is none


@dataclass(frozen=True, slots=True)
class Room:
    """A room, its things and its ways out by direction."""

    name: str
    things: tuple[Thing, ...]
    exits: Mapping[str, Exit]


@dataclass(frozen=True, slots=True)
class Facts:
    """The whole state of a game that has places; what is hidden included."""

    here: str
    rooms: Mapping[str, Room]
    carried: tuple[Thing, ...]

    def holding(self, name: str) -> Thing | None:
        """The thing of that name in hand."""
        return next((thing for thing in self.carried if thing.name == name), None)

    def find(self, name: str) -> Iterator[tuple[str, tuple[Thing, ...], Thing]]:
        """(room, what it is in from the outside in, thing) of every thing of that name that is not in hand."""
        for room in self.rooms.values():
            for inside, thing in walk(room.things):
                if thing.name == name:
                    yield room.name, inside, thing


def walk(things: tuple[Thing, ...], inside: tuple[Thing, ...] = ()) -> Iterator[tuple[tuple[Thing, ...], Thing]]:
    """(what it is in from the outside in, thing) of every thing, and of what is in it."""
    for thing in things:
        yield inside, thing
        yield from walk(thing.contents, (*inside, thing))


def facts_of(here: str, rooms: Mapping[str, str], carried: str) -> Facts:
    """Facts from the JSON of each room and of the inventory. Things of equal name in one place are all kept."""
    return Facts(
        here=here,
        rooms={name: _room(_parse(text)) for name, text in rooms.items()},
        carried=_contents(_parse(carried)),
    )


def _parse(text: str) -> dict[str, Any]:
    # The engine keys contents by name, which need not be unique: contents become lists of pairs.
    parsed: dict[str, Any] = json.loads(text, object_pairs_hook=_Pairs)
    return parsed


class _Pairs(dict[str, Any]):
    """An object of JSON that remembers members of equal name."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.members = [value for _, value in pairs]


def _contents(data: dict[str, Any]) -> tuple[Thing, ...]:
    return tuple(_thing(member) for member in data["contents"].members)


def _thing(data: dict[str, Any]) -> Thing:
    words = {word for flag, word in _FLAGS.items() if data[flag]}
    if data["isRaw"] and data["needsCooking"]:
        words.add("raw")
    return Thing(
        name=data["name"],
        words=frozenset(words),
        holder=data["isContainer"],
        openable=data["isOpenable"],
        open=data["isOpen"],
        contents=_contents(data),
    )


def _room(data: dict[str, Any]) -> Room:
    exits = {}
    for direction in DIRECTIONS:
        beyond, door = data[f"location{direction.title()}"], data[f"door{direction.title()}"]
        if beyond is not None:
            exits[direction] = Exit(beyond, None if door is None else door["isOpen"])
    return Room(data["name"], _contents(data), exits)
