"""Whether an adapter is in force: the change of the student's probabilities on given decisions.

An adapter that silently fell back to the base model would look like training without effect. So every
trained model is probed before anything is concluded from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from teachable.evaluation.errors import EvaluationError


class Scorer(Protocol):
    """What a probe needs of a student."""

    def policy(
        self,
        prompts: Sequence[str],
        commands: Sequence[Sequence[str]],
        *,
        adapters: Sequence[str | None] | None = None,
    ) -> list[NDArray[np.float64]]:
        """Natural log-probabilities [K] over each list of commands."""
        ...


def adapter_probe(student: Scorer, adapter: str, prompts: Sequence[str], commands: Sequence[Sequence[str]]) -> float:
    """The largest change of any command's probability under ``adapter``, over all decisions; in [0, 1].

    Raises :class:`EvaluationError` when there is no decision with a choice, or when nothing changes at all.
    """
    chosen = [i for i, listed in enumerate(commands) if len(listed) > 1]
    if not chosen:
        raise EvaluationError(f"Adapter {adapter!r} cannot be probed: no decision with two commands was given.")
    found = _shifts(student, [adapter] * len(chosen), [prompts[i] for i in chosen], [commands[i] for i in chosen])
    shift = max(found)
    if not shift > 0:
        raise EvaluationError(
            f"Adapter {adapter!r} gives exactly the base student's probabilities on {len(found)} "
            "decisions: it is untrained, or the base student was evaluated in its place."
        )
    return shift


def adapter_probes(
    student: Scorer, adapters: Sequence[str], prompts: Sequence[str], commands: Sequence[Sequence[str]]
) -> list[float]:
    """The same of many adapters at one decision each, all in one call to the student.

    Raises :class:`EvaluationError` for the first decision without a choice, or adapter that changes nothing there.
    """
    for adapter, listed in zip(adapters, commands, strict=True):
        if len(listed) < 2:
            raise EvaluationError(f"Adapter {adapter!r} cannot be probed: no decision with two commands was given.")
    found = _shifts(student, adapters, prompts, commands)
    for adapter, shift in zip(adapters, found, strict=True):
        if not shift > 0:
            raise EvaluationError(
                f"Adapter {adapter!r} gives exactly the base student's probabilities at its decision: "
                "it is untrained, or the base student was evaluated in its place."
            )
    return found


def _shifts(
    student: Scorer, adapters: Sequence[str], prompts: Sequence[str], commands: Sequence[Sequence[str]]
) -> list[float]:
    """The largest change of a command's probability at each decision, under its adapter."""
    base = student.policy(prompts, commands, adapters=[None] * len(prompts))
    tuned = student.policy(prompts, commands, adapters=list(adapters))
    return [float(np.abs(np.exp(a) - np.exp(b)).max()) for a, b in zip(base, tuned, strict=True)]


def check_shifts(shifts: Mapping[str, float]) -> None:
    """Raise :class:`EvaluationError` naming every run whose recorded probe shift is not above 0."""
    same = sorted(run for run, shift in shifts.items() if not shift > 0)
    if same:
        raise EvaluationError(f"These runs do not differ from the base student: {', '.join(same)}.")
