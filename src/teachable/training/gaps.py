"""Skills that the built-in student's demonstrator lacks: a truth planted on purpose, for the labels to find.

A student cloned from an expert fails by the noise of a small network, and there is nothing particular to teach
it. A demonstrator with gaps has a known share of each skill, and something wrong but harmless that it does
otherwise: always the same (a habit, of which the student becomes sure) or anything (the student stays unsure).
What it does otherwise never loses the game, so a gap shows as a situation the student stays in, with everything
after it still to be won.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Gap", "demonstrated"]

# What a command leads to: (the game goes on and can still be won, the state of the world is another one).
Trial = Callable[[str], tuple[bool, bool]]


@dataclass(frozen=True, slots=True)
class Gap:
    """A skill that is only partly there."""

    known: float  # share of needs in which the right thing is done
    otherwise: Literal["habit", "dither"]  # one wrong command, always the same, or any


def demonstrated(
    right: str,
    skill: str,
    commands: Sequence[str],
    gaps: Mapping[str, Gap],
    trial: Trial,
    generator: np.random.Generator,
) -> str:
    """What a demonstrator with ``gaps`` does where ``right``, which exercises ``skill``, is right.

    ``commands`` are admissible; ``trial`` tells where one leads. Otherwise than right is a harmless command: one after
    which the game goes on and can still be won. A habit is the first, in alphabetical order, of those that change
    nothing, or of all where each changes something: a function of the situation alone. Dithering takes any, each
    equally often. Where no other command is harmless the right thing is done. Draws the same numbers whatever it finds.
    """
    knows, pick = generator.random(2)
    gap = gaps.get(skill)
    if gap is None or knows < gap.known:
        return right
    led = {command: trial(command) for command in sorted(commands) if command != right}
    harmless = [command for command, (safe, _) in led.items() if safe]
    if not harmless:
        return right
    if gap.otherwise == "dither":
        return harmless[int(pick * len(harmless))]
    idle = [command for command in harmless if not led[command][1]]
    return (idle or harmless)[0]
