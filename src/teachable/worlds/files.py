"""Game files of worlds that make a game of a few numbers: JSON, its digest, and reading it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from teachable.worlds.base import EngineFault, Task, WorldError


def text_of(value: Any) -> str:
    """Compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """32 hexadecimal digits of the SHA-256 of a value's JSON."""
    return hashlib.sha256(text_of(value).encode()).hexdigest()[:32]


def structure_of(*texts: str) -> str:
    """A digest of everything at the start (64 hexadecimal digits)."""
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()


class Made(Protocol):
    """A game that a file describes."""

    @property
    def digest(self) -> str: ...


Game = TypeVar("Game", bound=Made)


def load(task: Task, games: Path, parse: Callable[[dict[str, Any]], Game]) -> Game:
    """The game of ``task``, which ``parse`` makes of its file's JSON; it has the digest that the task says.

    Raises WorldError when the file is missing or holds another game, EngineFault when it is damaged: no JSON, or
    ``parse`` raises ValueError, TypeError, KeyError or AttributeError.
    """
    path = Path(games) / task.game
    try:
        game = parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WorldError(f"game file {path} is missing: run the stage that makes the games again.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineFault(
            f"game file {path} is damaged ({type(error).__name__}: {error}): delete it and run the stage that makes "
            "the games again."
        ) from error
    if game.digest != task.digest:
        raise WorldError(
            f"task {task.task_id}: {path} holds another game (digest {game.digest}, the task says {task.digest}). "
            "Run the stage that makes the games again."
        )
    return game
