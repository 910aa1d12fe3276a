"""Games that an engine makes of a few numbers: a file holds the numbers and what must come of them."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from teachable.generation.requests import wanted_games
from teachable.worlds.base import GenerationError, Session, Task, WorldError


class DrawnGame(Protocol):
    """A game as its file describes it."""

    @property
    def family(self) -> str: ...

    @property
    def digest(self) -> str: ...

    def text(self) -> str:
        """The content of its file."""
        ...


Game = TypeVar("Game", bound=DrawnGame)


class DrawnGames(ABC, Generic[Game]):
    """A generator whose games are drawn one by one; see :class:`teachable.generation.Generator`.

    ``max_expert_steps``: games whose expert needs more commands are not made.
    """

    name: ClassVar[str]
    known: ClassVar[Collection[str]]  # the names of its families

    def __init__(self, max_expert_steps: int) -> None:
        if max_expert_steps < 1:
            raise WorldError(f"{self.name}: max_expert_steps must be at least 1.")
        self.max_expert_steps = max_expert_steps

    @abstractmethod
    def draw(self, family: str, split: str, seed: int) -> tuple[Game, int]:
        """The game for this seed and the number of its expert's commands, a function of the arguments.

        Raises :class:`GenerationError` when there is none.
        """

    def generate(
        self,
        family: str | Sequence[str],
        split: str,
        seeds: Sequence[int],
        games: Path,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Task]:
        """One task per seed, in the order of ``seeds``; ``family`` is one for all or one for each.

        The same arguments give the same bytes in ``games``. Raises :class:`GenerationError` when a game cannot be made.
        """
        wanted = wanted_games(self.name, self.known, family, split, seeds)
        tasks = []
        for name, seed in wanted:
            game, steps = self.draw(name, split, seed)
            task = self.task_of(game, split, seed, steps)
            _write(game, Path(games) / task.game)
            tasks.append(task)
            if progress is not None:
                progress(len(tasks), len(wanted))
        return tasks

    def task_of(self, game: Game, split: str, seed: int, steps: int) -> Task:
        """The task that ``game`` is, which its expert wins in ``steps`` commands."""
        return Task(
            task_id=f"{self.name}-{game.family}-{split}-{seed}",
            world=self.name,
            family=game.family,
            split=split,
            seed=seed,
            game=f"{self.name}/{game.family}/{split}/{seed}.json",
            digest=game.digest,
            expert_steps=steps,
        )


def expert_steps(session: Session, most: int) -> int | None:
    """The expert's commands in its winning play of ``session``; None where it does not win within ``most``."""
    for step in range(1, most + 1):
        command = session.expert_command()
        if command is None:
            return None
        if session.step(command).won:
            return step
    return None


def _write(game: DrawnGame, target: Path) -> None:
    """Write a game's file, atomically; one that is there already and holds this game is kept."""
    text = game.text()
    try:
        if target.exists() and target.read_text(encoding="utf-8") == text:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=target.parent) as scratch:
            new = Path(scratch) / target.name
            new.write_text(text, encoding="utf-8")
            os.replace(new, target)
    except OSError as error:
        raise GenerationError(f"game file {target} cannot be written: {error}") from error
