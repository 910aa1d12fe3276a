"""ScienceWorld's games: families and seeds in, small files that say what to make out.

There is nothing to compile. A file holds the numbers that ScienceWorld makes the game of, a digest of what it then
makes, and what is right in it, which its gold path tells; a session checks that it still makes the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from teachable import seeds as streams
from teachable.generation.drawn import DrawnGames, expert_steps
from teachable.generation.splits import split_of
from teachable.worlds.base import EngineFault, GenerationError
from teachable.worlds.files import structure_of
from teachable.worlds.scienceworld.commands import VERBS, split_move
from teachable.worlds.scienceworld.engine import Engine
from teachable.worlds.scienceworld.entry import Options
from teachable.worlds.scienceworld.expert import HELD
from teachable.worlds.scienceworld.families import FAMILIES
from teachable.worlds.scienceworld.games import Game, Target
from teachable.worlds.scienceworld.session import ScienceWorldSession

_WORLD = "scienceworld"
_UNFIT = 5  # variations that do not fit (some 2 s each), before giving up
_LEARNT = ("focus on ", "pick up ", "move ")  # of the gold path: what the errands are made of


class ScienceWorldGenerator(DrawnGames[Game]):
    """The generator called ``scienceworld``; see :class:`teachable.generation.Generator`.

    Options:

    * ``max_expert_steps``: games whose expert needs more commands are not made.
    * ``simplifications``: ScienceWorld's own, beside those that all games have.
    """

    name = _WORLD
    known = FAMILIES

    def __init__(
        self, max_expert_steps: int = 15, simplifications: Sequence[str] = ("selfWateringFlowerPots",)
    ) -> None:
        super().__init__(max_expert_steps)
        self.simplifications = tuple(sorted(simplifications))

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
            task = self.task_of(game, split, seed, 0)
            session = ScienceWorldSession(task, game, engine, options.verbs, options.holders)
            steps = expert_steps(session, self.max_expert_steps)
            return None if steps is None else (game, steps)
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
