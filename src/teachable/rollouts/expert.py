"""Who takes over in p_force and p_expert: the game's own solver, or any function of what the student sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from teachable.rollouts.policy import CachedPolicy, Request, draw, greedy, tempered
from teachable.rollouts.sessions import Environment, Moment
from teachable.terms import ORACLE
from teachable.worlds.base import EngineFault


class Turn(NamedTuple):
    """One decision that an expert is asked about, and what tells its random choices apart."""

    environment: Environment
    moment: Moment
    repeat: int = 0  # of the episode: equal ones may be given equal commands
    u: float | None = None  # in [0, 1), for a command that is drawn; None: the expert's best


class Expert(Protocol):
    """Commands for many places at once; None where it knows none, a fault where the engine failed."""

    @property
    def name(self) -> str: ...
    @property
    def deterministic(self) -> bool:
        """The same command whenever it is asked at the same moment."""
        ...

    def commands(self, asked: Sequence[Turn]) -> list[str | EngineFault | None]: ...


class Oracle:
    """The game's own solver. It is privileged: it knows the whole world."""

    name = ORACLE
    deterministic = True

    def commands(self, asked: Sequence[Turn]) -> list[str | EngineFault | None]:
        answers: list[str | EngineFault | None] = []
        for turn in asked:
            try:
                answers.append(turn.environment.expert(turn.moment))
            except EngineFault as fault:
                answers.append(fault)
        return answers


class ContextExpert:
    """An expert that sees what the student sees: a teacher, a model. It is not asked where the world says that the task
    can no longer be won: there no expert has a command."""

    def __init__(
        self,
        answer: Callable[[Sequence[Turn]], Sequence[str | None]],
        *,
        name: str,
        deterministic: bool,
    ) -> None:
        self.name = name
        self.deterministic = deterministic
        self._answer = answer

    def commands(self, asked: Sequence[Turn]) -> list[str | EngineFault | None]:
        answers: list[str | EngineFault | None] = [None] * len(asked)
        alive = [index for index, turn in enumerate(asked) if not turn.moment.state.unwinnable]
        if alive:
            found = self._answer([asked[index] for index in alive])
            for index, command in zip(alive, found, strict=True):
                answers[index] = command
        return answers


def checkpoint(
    cached: CachedPolicy, adapter: str | None, *, name: str = "checkpoint", temperature: float = 0.0
) -> ContextExpert:
    """A model's policy as the expert. ``temperature`` 0 plays the likeliest command; else commands are drawn from
    ``softmax(logp / temperature)``, and the best of a turn without ``u`` is the likeliest all the same."""

    def answer(turns: Sequence[Turn]) -> list[str | None]:
        contexts = [turn.moment.context() for turn in turns]
        requests = [Request(cached.prompt(context), context.commands, adapter) for context in contexts]
        chosen: list[str | None] = []
        for turn, request, logp in zip(turns, requests, cached.ask(requests), strict=True):
            best = temperature == 0 or turn.u is None
            index = greedy(logp) if best else draw(tempered(logp, temperature), turn.u or 0.0)
            chosen.append(request.commands[index])
        return chosen

    return ContextExpert(answer, name=name, deterministic=temperature == 0)
