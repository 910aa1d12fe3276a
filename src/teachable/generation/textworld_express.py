"""TextWorldExpress's games: families and seeds in, small files that say what to make out.

There is nothing to compile. A file holds the numbers that TextWorldExpress makes the game of, a digest of what it then
makes, and what is right in it; a session checks that it still makes the same.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from teachable import seeds as streams
from teachable.generation.splits import SPLITS, split_of
from teachable.worlds.base import EngineFault, GenerationError, Task, WorldError
from teachable.worlds.textworld_express.engine import Engine, structure_of
from teachable.worlds.textworld_express.families import FAMILIES
from teachable.worlds.textworld_express.games import Game
from teachable.worlds.textworld_express.session import TextWorldExpressSession

_WORLD = "textworld_express"
_ATTEMPTS = 400  # seeds derived from one seed before giving up; one in five is in `test`
_UNFIT = 40  # games of the right split that do not fit, before giving up


class TextWorldExpressGenerator:
    """The generator called ``textworld_express``; see :class:`teachable.generation.Generator`.

    Options:

    * ``max_expert_steps``: games whose expert needs more commands are not made.
    * ``fold``: TextWorldExpress's own division of foods, things and problems: train | dev | test.
    * ``parameters``: family -> parameters of its game that differ from the family's.
    """

    name = _WORLD

    def __init__(
        self,
        max_expert_steps: int = 15,
        fold: str = "train",
        parameters: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        if max_expert_steps < 1:
            raise WorldError(f"{_WORLD}: max_expert_steps must be at least 1.")
        self.max_expert_steps = max_expert_steps
        self.fold = fold
        self.parameters = parameters or {}
        for family in self.parameters:
            _known(family)

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
        families = [family] * len(seeds) if isinstance(family, str) else list(family)
        if len(families) != len(seeds):
            raise WorldError(f"{_WORLD}: {len(families)} families for {len(seeds)} seeds.")
        for name in {*families, *([family] if isinstance(family, str) else [])}:
            _known(name)
        if split not in SPLITS:
            raise WorldError(f"there is no split {split!r}; splits: {', '.join(SPLITS)}.")
        wanted = [(name, int(seed)) for name, seed in zip(families, seeds, strict=True)]
        if len(set(wanted)) != len(wanted):
            raise WorldError(f"{_WORLD}: the seeds for {split} games of one family are not distinct.")
        tasks = []
        for name, seed in wanted:
            game, steps = self.draw(name, split, seed)
            task = _task(game, split, seed, steps)
            _write(game, Path(games) / task.game)
            tasks.append(task)
            if progress is not None:
                progress(len(tasks), len(wanted))
        return tasks

    def draw(self, family: str, split: str, seed: int) -> tuple[Game, int]:
        """The game for this seed and the number of its expert's commands.

        Tries seeds derived from (seed, family, split) in order until the game belongs to ``split`` and its expert wins
        it in time. Raises :class:`GenerationError` when none does.
        """
        parameters = {**FAMILIES[family].parameters, **self.parameters.get(family, {})}
        most = min(self.max_expert_steps, FAMILIES[family].longest)
        trouble, unfit = "none of them belongs to this split", 0
        for attempt in range(_ATTEMPTS):
            number = streams.integer(seed, _WORLD, family, split, attempt) % 2**31
            engine = Engine(FAMILIES[family].game, parameters, self.fold, number)
            try:
                reply = engine.start()
                facts, text = engine.facts()
                structure = structure_of(engine.goal(), reply.observation, text)
                if split_of(structure) != split:
                    continue
                game = Game(family, parameters, self.fold, number, structure, engine.solution(facts))
                task = _task(game, split, seed, 0)
                steps = self._play(TextWorldExpressSession(task, game, engine), most)
            except EngineFault as error:
                raise GenerationError(f"{family} game for split {split!r} and seed {seed}: {error}") from error
            finally:
                engine.close()
            if steps:
                return game, steps
            unfit += 1
            trouble = f"its expert does not win within {most} commands"
            if unfit == _UNFIT:
                break
        raise GenerationError(
            f"no {family} game for split {split!r} and seed {seed} in {attempt + 1} attempts; the last trouble: "
            f"{trouble}."
        )

    @staticmethod
    def _play(session: TextWorldExpressSession, most: int) -> int:
        """The expert's commands in its winning play; 0 where it does not win within ``most``."""
        for step in range(1, most + 1):
            command = session.expert_command()
            if command is None:
                return 0
            if session.step(command).won:
                return step
        return 0


def _task(game: Game, split: str, seed: int, steps: int) -> Task:
    return Task(
        task_id=f"{_WORLD}-{game.family}-{split}-{seed}",
        world=_WORLD,
        family=game.family,
        split=split,
        seed=seed,
        game=f"{_WORLD}/{game.family}/{split}/{seed}.json",
        digest=game.digest,
        expert_steps=steps,
    )


def _write(game: Game, target: Path) -> None:
    """Write a game's file, atomically; one that is there already and holds this game is kept."""
    text = game.text()
    try:
        if target.exists() and target.read_text() == text:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=target.parent) as scratch:
            new = Path(scratch) / target.name
            new.write_text(text)
            os.replace(new, target)
    except OSError as error:
        raise GenerationError(f"game file {target} cannot be written: {error}") from error


def _known(family: str) -> None:
    if family not in FAMILIES:
        raise WorldError(f"{_WORLD} has no family {family!r}; it has: {', '.join(FAMILIES)}.")
