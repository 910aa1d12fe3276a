"""Game files: a few numbers that make a game, and what identifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from teachable.worlds.files import digest_of, text_of
from teachable.worlds.textworld_express.families import FAMILIES, Family


@dataclass(frozen=True, slots=True)
class Game:
    """What TextWorldExpress makes a game of, and what is right in it."""

    family: str
    parameters: Mapping[str, int]
    fold: str  # TextWorldExpress's own: train | dev | test
    number: int  # its seed
    structure: str  # a digest of what is where at the start
    solution: tuple[tuple[str, tuple[str, ...]], ...]  # see teachable.worlds.textworld_express.engine.solution

    @property
    def kind(self) -> Family:
        """The family."""
        return FAMILIES[self.family]

    @property
    def digest(self) -> str:
        """32 hexadecimal digits for everything here."""
        return digest_of(asdict(self))

    def text(self) -> str:
        """The content of its file."""
        return text_of(asdict(self)) + "\n"


def game_of(data: dict[str, Any]) -> Game:
    """The game that a file's JSON describes; another file raises ValueError, TypeError, KeyError or AttributeError."""
    solution = tuple((name, tuple(values)) for name, values in data.pop("solution"))
    game = Game(**data, solution=solution)
    if game.family not in FAMILIES:
        raise ValueError(f"no family {game.family!r}")
    return game
