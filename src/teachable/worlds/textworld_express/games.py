"""Game files: a few numbers that make a game, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from teachable.worlds.base import EngineFault, WorldError
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


def text_of(value: Any) -> str:
    """Compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """32 hexadecimal digits of the SHA-256 of a value's JSON."""
    return hashlib.sha256(text_of(value).encode()).hexdigest()[:32]


def load(path: Path) -> Game:
    """The game whose file is at ``path``. Raises WorldError when it is missing, EngineFault when it is damaged."""
    try:
        data = json.loads(path.read_text())
        solution = tuple((name, tuple(values)) for name, values in data.pop("solution"))
        game = Game(**data, solution=solution)
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
