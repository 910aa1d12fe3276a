"""Who takes over in p_force and p_expert: the game's own solver, or any function of what the student sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from teachable.rollouts.policy import CachedPolicy, Request, greedy
from teachable.rollouts.sessions import Environment, Moment
from teachable.student.prompt import Context
from teachable.worlds.base import EngineFault


class Expert(Protocol):
    """Commands for many places at once; None where it knows none, a fault where the engine failed."""

    name: str
    deterministic: bool  # the same command whenever it is asked at the same moment

    def commands(self, asked: Sequence[tuple[Environment, Moment]]) -> list[str | EngineFault | None]: ...


class Oracle:
    """The game's own solver. It is privileged: it knows the whole world."""

    name = "oracle"
    deterministic = True

    def commands(self, asked: Sequence[tuple[Environment, Moment]]) -> list[str | EngineFault | None]:
        answers: list[str | EngineFault | None] = []
        for environment, moment in asked:
            try:
                answers.append(environment.expert(moment))
            except EngineFault as fault:
                answers.append(fault)
        return answers


class ContextExpert:
    """An expert that sees what the student sees, e.g. a teacher: contexts in, commands (or None) out."""

    def __init__(
        self,
        answer: Callable[[Sequence[Context]], Sequence[str | None]],
        *,
        name: str = "teacher",
        deterministic: bool = False,
    ) -> None:
        self.name = name
        self.deterministic = deterministic
        self._answer = answer

    def commands(self, asked: Sequence[tuple[Environment, Moment]]) -> list[str | EngineFault | None]:
        return list(self._answer([moment.context() for _, moment in asked])) if asked else []


def checkpoint(cached: CachedPolicy, adapter: str | None, *, name: str = "checkpoint") -> ContextExpert:
    """A student's checkpoint, played greedily, as the expert."""

    def answer(contexts: Sequence[Context]) -> list[str | None]:
        requests = [Request(cached.prompt(context), context.commands, adapter) for context in contexts]
        return [request.commands[greedy(logp)] for request, logp in zip(requests, cached.ask(requests), strict=True)]

    return ContextExpert(answer, name=name, deterministic=True)
