"""The student as this room sees it: prompts for contexts, log-probabilities over admissible commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from teachable.errors import TeachableError
from teachable.student.prompt import Context

Reals = NDArray[np.float64]


class PolicyError(TeachableError):
    """A student gave something that is not a distribution over the commands it was asked about."""


class Policy(Protocol):
    """What a student must be able to do; ``teachable.student.Student`` does."""

    def prompt(self, context: Context) -> str:
        """The prompt of a decision, a pure function of its context."""
        ...

    def policy(
        self,
        prompts: Sequence[str],
        commands: Sequence[Sequence[str]],
        *,
        adapters: Sequence[str | None] | None = None,
    ) -> list[Reals]:
        """Natural log-probabilities [K] over each list of commands."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One decision to ask about."""

    prompt: str
    commands: tuple[str, ...]
    adapter: str | None = None


class CachedPolicy:
    """Asks a policy in batches and never twice the same thing.

    Equal requests of one wave, and of earlier waves, are answered from memory; ``limit`` bounds the memory in
    decisions (the oldest half is dropped when it is reached). Answers are read-only arrays shared between
    callers. ``asked`` and ``evaluated`` count requests and those that reached the policy.

    An adapter's name must mean the same weights for as long as this object lives: make a new one after training.
    """

    def __init__(self, policy: Policy, *, limit: int = 200_000) -> None:
        self.policy = policy
        self.asked = 0
        self.evaluated = 0
        self._limit = limit
        self._known: dict[Request, Reals] = {}

    def prompt(self, context: Context) -> str:
        return self.policy.prompt(context)

    def ask(self, requests: Sequence[Request]) -> list[Reals]:
        """Log-probabilities per request. Raises :class:`PolicyError` for what is not a distribution."""
        self.asked += len(requests)
        new = [request for request in dict.fromkeys(requests) if request not in self._known]
        if new:
            if len(self._known) + len(new) > self._limit:
                needed = set(requests)
                for old in list(self._known)[: len(self._known) // 2]:
                    if old not in needed:
                        del self._known[old]
            self.evaluated += len(new)
            adapters = [request.adapter for request in new]
            answers = self.policy.policy(
                [request.prompt for request in new],
                [request.commands for request in new],
                adapters=None if all(a is None for a in adapters) else adapters,
            )
            if len(answers) != len(new):
                raise PolicyError(f"the policy answered {len(answers)} of {len(new)} requests")
            for request, answer in zip(new, answers, strict=True):
                self._known[request] = _checked(answer, request)
        return [self._known[request] for request in requests]


def tempered(logp: Reals, temperature: float) -> Reals:
    """``softmax(logp / temperature)`` in log space; the student's own temperature is already in ``logp``."""
    if temperature == 1.0:
        return logp
    scaled = logp / temperature
    top = scaled.max()
    return np.asarray(scaled - (top + np.log(np.exp(scaled - top).sum())), dtype=np.float64)


def greedy(logp: Reals) -> int:
    """The most probable command; in a tie the first in the order of the commands."""
    return int(np.argmax(logp))


def draw(logp: Reals, u: float) -> int:
    """The command at quantile ``u`` in [0, 1); with the same ``u`` similar policies mostly draw alike."""
    cumulated = np.cumsum(np.exp(logp))
    return min(int(np.searchsorted(cumulated, u * cumulated[-1], side="right")), len(logp) - 1)


def _checked(answer: Reals, request: Request) -> Reals:
    logp = np.array(answer, dtype=np.float64)
    if logp.shape != (len(request.commands),):
        raise PolicyError(f"the policy gave shape {logp.shape} for {len(request.commands)} commands")
    total = float(np.exp(logp).sum())
    if not abs(total - 1.0) < 1e-6:  # also catches NaN
        raise PolicyError(f"the policy's probabilities sum to {total} instead of 1 for {request.commands[:3]}...")
    logp.flags.writeable = False
    return logp
