"""Worlds and open games: what stages that play do on the way in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.rollouts.sessions import Environments
from teachable.worlds import get_world
from teachable.worlds.base import World

if TYPE_CHECKING:
    from teachable.config import model as c


_shared: dict[tuple[str, Path], Environments] = {}


def games_root(games: Sequence[Path]) -> Path:
    """The directory that task paths are relative to: the one that holds the shards."""
    return games[0].parent


def shared_environments(section: c.World, games: Path) -> Environments:
    """Open games, shared by the stages that this process runs one after the other; closed with it."""
    key = section.model_dump_json(), games
    if key not in _shared:
        _shared[key] = Environments(open_world(section), games, limit=256)
    return _shared[key]


def open_world(section: c.World) -> World:
    """The world that the configuration names, with its options."""
    return get_world(section.name, **section.options)
