"""TextWorld as a world: sessions on its games."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.worlds.base import Task, WorldError

if TYPE_CHECKING:
    from teachable.worlds.textworld.session import TextWorldSession


class TextWorld:
    """The world called ``textworld``; see :class:`teachable.worlds.base.World`.

    ``prune``: verbs that players are not offered. `examine`, `look` and `inventory` are never offered, but for
    `examine cookbook` until it has been read. ``turn_limit_s``: an engine that takes longer for one turn, in seconds,
    is stopped; an EngineFault.
    """

    name = "textworld"

    def __init__(self, prune: Sequence[str], turn_limit_s: float) -> None:
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
