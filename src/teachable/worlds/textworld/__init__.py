"""TextWorld: cooking, treasure hunting and coin collecting on a Z-machine.

Modules: ``games`` (canonical data), ``host`` and ``engine`` (the Z-machine), ``ground`` (rules as bit masks),
``scene`` (the compact view), ``expert`` (shortest plans), ``session`` (playing). Games are made by
:mod:`teachable.generation.textworld`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.worlds.base import Task, WorldError

if TYPE_CHECKING:
    from teachable.worlds.textworld.session import TextWorldSession

PRUNABLE = ("put", "insert", "close", "drop", "lock")


class TextWorld:
    """The world called ``textworld``; see :class:`teachable.worlds.base.World`.

    Options:

    * ``prune``: verbs that players are not offered; any of put, insert, close, drop, lock. No plan needs
      them. `examine`, `look` and `inventory` are never offered, but for `examine cookbook` until it has been
      read.
    * ``turn_limit_s``: an engine that takes longer for one turn is stopped; an EngineFault, in seconds.
    """

    name = "textworld"

    def __init__(self, prune: Sequence[str] = ("put", "insert", "close", "drop"), turn_limit_s: float = 20.0) -> None:
        wrong = sorted(set(prune) - set(PRUNABLE))
        if wrong:
            raise WorldError(f"textworld: prune cannot hold {', '.join(wrong)}; it may hold {', '.join(PRUNABLE)}.")
        if not turn_limit_s > 0:
            raise WorldError("textworld: turn_limit_s must be above 0.")
        self.prune = tuple(sorted(prune))
        self.turn_limit_s = turn_limit_s

    def start(self, task: Task, games: Path) -> TextWorldSession:
        """A session at the start of ``task``; the game must have the digest that the task says."""
        from teachable.worlds.textworld.session import TextWorldSession, open_game

        story = Path(games) / task.game
        game = open_game(story.with_suffix(".json"), self.prune)
        if game.ground.digest != task.digest:
            raise WorldError(
                f"task {task.task_id}: {story} holds another game (digest {game.ground.digest}, the task "
                f"says {task.digest}). Run the stage that makes the games again."
            )
        return TextWorldSession(task, game, story, self.turn_limit_s)


WORLD = TextWorld
