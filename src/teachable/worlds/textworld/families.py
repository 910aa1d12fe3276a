"""The families of TextWorld games."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of game."""

    name: str
    challenge: str  # cooking | treasure_hunter | coin_collector
    about: str
    settings: dict[str, Any] = field(default_factory=dict)  # of TextWorld's challenge


def _cooking(name: str, about: str, **settings: Any) -> Family:
    base = {"recipe": 1, "take": 1, "open": True, "cook": False, "cut": False, "drop": False, "go": 1}
    return Family(name, "cooking", about, {**base, **settings})


FAMILIES = {
    family.name: family
    for family in (
        _cooking("easy", "one room, one ingredient to find"),
        _cooking("medium", "one room, one ingredient to find, cut and cook", cook=True, cut=True),
        _cooking("walk", "six rooms with doors, one ingredient to find", go=6),
        _cooking("cook1", "one room, one ingredient to find and cook", cook=True),
        _cooking("cut1", "one room, one ingredient to find and cut", cut=True),
        _cooking("nav", "six rooms with doors, two ingredients to find and cook", recipe=2, take=2, cook=True, go=6),
        _cooking("hard", "one room, two ingredients to find, cut and cook", recipe=2, take=2, cook=True, cut=True),
        Family("treasure_hunter", "treasure_hunter", "ten rooms, one object to find behind doors", {"level": 15}),
        Family("coin_collector", "coin_collector", "a chain of eight rooms with a coin at its end", {"level": 8}),
    )
}
