"""Game files: the numbers that make a game, and what is right in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from teachable.worlds.files import digest_of, text_of
from teachable.worlds.scienceworld.families import FAMILIES


@dataclass(frozen=True, slots=True)
class Target:
    """An object and the room that it is in at the start."""

    id: int  # ScienceWorld's own, counted anew by every load
    room: str


@dataclass(frozen=True, slots=True)
class Game:
    """What ScienceWorld makes a game of, and what is right in it."""

    family: str  # its task
    variation: int
    simplifications: tuple[str, ...]
    structure: str  # a digest of everything at the start
    gold: tuple[str, ...]  # ScienceWorld's gold path, in commands that are offered
    focus: tuple[Target, ...]  # what to focus on, in order
    box: Target | None  # where the last thing focused on must be brought; None: nowhere

    @property
    def digest(self) -> str:
        """32 hexadecimal digits for everything here."""
        return digest_of(asdict(self))

    def text(self) -> str:
        """The content of its file."""
        return text_of(asdict(self)) + "\n"


def game_of(data: dict[str, Any]) -> Game:
    """The game that a file's JSON describes; another file raises ValueError, TypeError, KeyError or AttributeError."""
    focus = tuple(Target(**one) for one in data.pop("focus"))
    box = data.pop("box")
    simplifications, gold = tuple(data.pop("simplifications")), tuple(data.pop("gold"))
    game = Game(
        **data, simplifications=simplifications, gold=gold, focus=focus, box=None if box is None else Target(**box)
    )
    if game.family not in FAMILIES:
        raise ValueError(f"no family {game.family!r}")
    return game
