"""Game files: the numbers that make a game, and what is right in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from teachable.worlds.base import EngineFault, WorldError
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


def text_of(value: Any) -> str:
    """Compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """32 hexadecimal digits of the SHA-256 of a value's JSON."""
    return hashlib.sha256(text_of(value).encode()).hexdigest()[:32]


def structure_of(*texts: str) -> str:
    """A digest of everything at the start (64 hexadecimal digits)."""
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()


def load(path: Path) -> Game:
    """The game whose file is at ``path``. Raises WorldError when it is missing, EngineFault when it is damaged."""
    try:
        data = json.loads(path.read_text())
        focus = tuple(Target(**one) for one in data.pop("focus"))
        box = data.pop("box")
        simplifications, gold = tuple(data.pop("simplifications")), tuple(data.pop("gold"))
        game = Game(
            **data, simplifications=simplifications, gold=gold, focus=focus, box=None if box is None else Target(**box)
        )
        if game.family not in FAMILIES:
            raise ValueError(f"no family {game.family!r}")
    except FileNotFoundError:
        raise WorldError(f"game file {path} is missing: run the stage that makes the games again.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineFault(
            f"game file {path} is damaged ({type(error).__name__}: {error}): delete it and run the stage that makes "
            "the games again."
        ) from error
    return game
