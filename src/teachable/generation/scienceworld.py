"""ScienceWorld's games: families and seeds in, small files that say what to make out.

There is nothing to compile. A file holds the numbers that ScienceWorld makes the game of, a digest of what it then
makes, and what is right in it, which its gold path tells; a session checks that it still makes the same.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from teachable import seeds as streams
from teachable.generation.splits import SPLITS, split_of
from teachable.worlds.base import EngineFault, GenerationError, Task, WorldError
from teachable.worlds.scienceworld.commands import VERBS, split_move
from teachable.worlds.scienceworld.engine import Engine
from teachable.worlds.scienceworld.entry import Options
from teachable.worlds.scienceworld.expert import HELD
from teachable.worlds.scienceworld.families import FAMILIES
from teachable.worlds.scienceworld.games import Game, Target, structure_of
from teachable.worlds.scienceworld.session import ScienceWorldSession

_WORLD = "scienceworld"
_UNFIT = 5  # variations that do not fit (some 2 s each), before giving up
_LEARNT = ("focus on ", "pick up ", "move ")  # of the gold path: what the errands are made of


class ScienceWorldGenerator:
    """The generator called ``scienceworld``; see :class:`teachable.generation.Generator`.

    Options:

    * ``max_expert_steps``: games whose expert needs more commands are not made.
    * ``simplifications``: ScienceWorld's own, beside those that all games have.
    """

    name = _WORLD

    def __init__(
        self, max_expert_steps: int = 15, simplifications: Sequence[str] = ("selfWateringFlowerPots",)
    ) -> None:
        if max_expert_steps < 1:
            raise WorldError(f"{_WORLD}: max_expert_steps must be at least 1.")
        self.max_expert_steps = max_expert_steps
        self.simplifications = tuple(sorted(simplifications))

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
            if name not in FAMILIES:
                raise WorldError(f"{_WORLD} has no family {name!r}; it has: {', '.join(FAMILIES)}.")
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

        Tries the family's variations of this split, in an order that the seed gives, until the expert wins one in time.
        Two seeds may draw the same variation: there are no more than ScienceWorld has. Raises :class:`GenerationError`
        when the expert wins none.
        """
        trouble, tried = "there is no variation of this split", 0
        try:
            for number in self._variations(family, split, seed):
                found = self._make(family, number, split, seed)
                if found is not None:
                    return found
                tried += 1
                trouble = f"its expert does not win within {self.max_expert_steps} commands"
                if tried == _UNFIT:
                    break
        except EngineFault as error:
            raise GenerationError(f"{family} game for split {split!r} and seed {seed}: {error}") from error
        raise GenerationError(
            f"no {family} game for split {split!r} and seed {seed} in {tried} attempts; the last trouble: {trouble}."
        )

    def _variations(self, family: str, split: str, seed: int) -> Iterator[int]:
        """The family's variations of ``split``, in an order drawn from the seed."""
        engine = Engine(family, 0, self.simplifications)
        count = engine.variations()
        engine.close()
        own = [number for number in range(count) if owner(family, number) == split]
        yield from sorted(own, key=lambda number: streams.integer(seed, _WORLD, family, split, number))

    def _make(self, family: str, number: int, split: str, seed: int) -> tuple[Game, int] | None:
        """The game of this variation and the number of its expert's commands; None where it does not win in time."""
        engine = Engine(family, number, self.simplifications)
        try:
            path = engine.gold()
            engine.start()
            structure = structure_of(engine.goal(), engine.tree())
            gold, focus, box = _errands(engine, path)
            game = Game(family, number, self.simplifications, structure, gold, focus, box)
            options = Options.model_validate({})
            task = _task(game, split, seed, 0)
            session = ScienceWorldSession(task, game, engine, options.verbs, options.holders)
            for step in range(1, self.max_expert_steps + 1):
                command = session.expert_command()
                if command is None:
                    return None
                if session.step(command).won:
                    return game, step
            return None
        finally:
            engine.close()


def owner(family: str, number: int) -> str:
    """The split that owns a variation."""
    return split_of(hashlib.sha256(f"{_WORLD}/{family}/{number}".encode()).hexdigest())


def _errands(engine: Engine, gold: Sequence[str]) -> tuple[tuple[str, ...], tuple[Target, ...], Target | None]:
    """The gold path in commands that are offered, what it focuses on, and the box that it fills.

    Begins with the engine at the start and leaves it at the end. Gold commands call things by any of their names; here
    a name is looked up among all names of what is within reach, and the engine's own name for that object is put in its
    place. Doors are open and rooms are seen, so `open door` and `look around` are left out.
    """
    path: list[str] = []
    focus: list[Target] = []
    box: Target | None = None
    for command in gold:
        if engine.reply.won:
            break
        start = next((start for start in (*_LEARNT, VERBS["go"].start) if command.startswith(start)), "")
        if not start:
            continue
        reach, things, _ = engine.reach()
        aliases = engine.aliases(things) if start in _LEARNT else {}
        if start == "focus on ":
            if (id := _one(aliases, command.removeprefix(start))) is not None:
                focus.append(Target(id, reach.room))
                command = start + reach.name(id)
        elif start == "pick up ":
            if (id := _one(aliases, command.removeprefix(start))) is not None:
                command = start + reach.name(id)
        elif start == "move ":
            for thing, holder in split_move(command):
                one, into = _one(aliases, thing), _one(aliases, holder)
                if one is not None and into is not None:
                    box = Target(into, HELD if into in reach.held else reach.room)
                    command = f"move {reach.name(one)} to {reach.name(into)}"
        engine.step(command)
        path.append(command)
    return tuple(path), tuple(focus), box


def _one(aliases: dict[str, list[int]], name: str) -> int | None:
    """The first object that answers to ``name``; None where none does."""
    return next(iter(aliases.get(name, ())), None)


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
