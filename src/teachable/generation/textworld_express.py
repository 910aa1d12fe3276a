"""TextWorldExpress's games: families and seeds in, small files that say what to make out.

There is nothing to compile. A file holds the numbers that TextWorldExpress makes the game of, a digest of what it then
makes, and what is right in it; a session checks that it still makes the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from teachable import seeds as streams
from teachable.generation.drawn import DrawnGames, expert_steps
from teachable.generation.requests import check_family
from teachable.generation.splits import split_of
from teachable.worlds.base import EngineFault, GenerationError
from teachable.worlds.files import structure_of
from teachable.worlds.textworld_express.engine import Engine
from teachable.worlds.textworld_express.families import FAMILIES
from teachable.worlds.textworld_express.games import Game
from teachable.worlds.textworld_express.session import TextWorldExpressSession

_WORLD = "textworld_express"
_ATTEMPTS = 400  # seeds derived from one seed before giving up; one in five is in `test`
_UNFIT = 40  # games of the right split that do not fit, before giving up


class TextWorldExpressGenerator(DrawnGames[Game]):
    """The generator called ``textworld_express``; see :class:`teachable.generation.Generator`.

    Options:

    * ``max_expert_steps``: games whose expert needs more commands are not made.
    * ``fold``: TextWorldExpress's own division of foods, things and problems: train | dev | test.
    * ``parameters``: family -> parameters of its game that differ from the family's.
    """

    name = _WORLD
    known = FAMILIES

    def __init__(
        self,
        max_expert_steps: int = 15,
        fold: str = "train",
        parameters: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        super().__init__(max_expert_steps)
        self.fold = fold
        self.parameters = parameters or {}
        for family in self.parameters:
            check_family(self.name, FAMILIES, family)

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
                task = self.task_of(game, split, seed, 0)
                steps = expert_steps(TextWorldExpressSession(task, game, engine), most)
            except EngineFault as error:
                raise GenerationError(f"{family} game for split {split!r} and seed {seed}: {error}") from error
            finally:
                engine.close()
            if steps is not None:
                return game, steps
            unfit += 1
            trouble = f"its expert does not win within {most} commands"
            if unfit == _UNFIT:
                break
        raise GenerationError(
            f"no {family} game for split {split!r} and seed {seed} in {attempt + 1} attempts; the last trouble: "
            f"{trouble}."
        )
