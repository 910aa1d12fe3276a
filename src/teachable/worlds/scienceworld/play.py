"""ScienceWorld as a world: sessions on its games."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.worlds.base import Task

if TYPE_CHECKING:
    from teachable.worlds.scienceworld.session import ScienceWorldSession


class ScienceWorld:
    """The world called ``scienceworld``; see :class:`teachable.worlds.base.World`.

    ``verbs``: of the commands that players are offered. ``holders``: how the names of containers end that things may be
    moved into; none: into all. ``turn_limit_s``: a Java machine that takes longer for one call, in seconds, is stopped;
    an EngineFault.
    """

    name = "scienceworld"

    def __init__(self, verbs: Sequence[str], holders: Sequence[str], turn_limit_s: float) -> None:
        self.verbs = tuple(sorted(verbs))
        self.holders = tuple(sorted(holders))
        self.turn_limit_s = turn_limit_s

    def start(self, task: Task, games: Path) -> ScienceWorldSession:
        """A session at the start of ``task``; the game must have the digest that the task says."""
        from teachable.worlds.files import load
        from teachable.worlds.scienceworld.engine import Engine
        from teachable.worlds.scienceworld.games import game_of
        from teachable.worlds.scienceworld.session import ScienceWorldSession

        game = load(task, games, game_of)
        engine = Engine(game.family, game.variation, game.simplifications, self.turn_limit_s)
        return ScienceWorldSession(task, game, engine, self.verbs, self.holders)
