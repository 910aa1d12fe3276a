"""TextWorldExpress as a world: sessions on its games."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.worlds.base import Task

if TYPE_CHECKING:
    from teachable.worlds.textworld_express.session import TextWorldExpressSession


class TextWorldExpress:
    """The world called ``textworld_express``; see :class:`teachable.worlds.base.World`.

    ``prune``: verbs that players are not offered; `put` is where the goal needs it. `look around`, `inventory`, `task`
    and `examine` never are, and `read` until what it would say is known. ``turn_limit_s``: a Java machine that takes
    longer for one call, in seconds, is stopped; an EngineFault.
    """

    name = "textworld_express"

    def __init__(self, prune: Sequence[str], turn_limit_s: float) -> None:
        self.prune = tuple(sorted(prune))
        self.turn_limit_s = turn_limit_s

    def start(self, task: Task, games: Path) -> TextWorldExpressSession:
        """A session at the start of ``task``; the game must have the digest that the task says."""
        from teachable.worlds.files import load
        from teachable.worlds.textworld_express.engine import Engine
        from teachable.worlds.textworld_express.games import game_of
        from teachable.worlds.textworld_express.session import TextWorldExpressSession

        game = load(task, games, game_of)
        engine = Engine(game.kind.game, dict(game.parameters), game.fold, game.number, self.turn_limit_s)
        return TextWorldExpressSession(task, game, engine, self.prune)
