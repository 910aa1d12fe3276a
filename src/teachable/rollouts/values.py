"""What is asked about a snapshot, and what both estimators answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

import polars as pl

from teachable.rollouts.expert import Expert
from teachable.rollouts.sessions import Place, Start, Table, Tables
from teachable.terms import CONDITIONS
from teachable.worlds.base import EngineFault


class _Answer(Enum):
    NO_EXPERT = "no expert here"


NO_EXPERT: Final = _Answer.NO_EXPERT
"""The task can still be won from here, and the expert knows no command."""

ExpertAction = str | EngineFault | Literal[_Answer.NO_EXPERT] | None
"""The expert's command at a snapshot, a fault of its engine, :data:`NO_EXPERT`, or None at a dead end."""


@dataclass(frozen=True, slots=True)
class Question:
    """The chances of success from one snapshot: leverage, and the patch test if there are patches.

    ``patches`` maps placebo, demo, contrast and hint to their texts; empty when only leverage is wanted
    (interval snapshots, or advice that is not valid). ``adapter`` names the student's adapter that plays.
    ``purpose`` says what the answer is for (label, before, after, drift): answers for different purposes come
    from different random streams, so that a label and the outcome it is compared with share no noise.
    """

    start: Start
    patches: Mapping[str, str] = field(default_factory=dict)
    adapter: str | None = None
    model: str = "base"
    purpose: str = "label"

    def __post_init__(self) -> None:
        if self.start.snapshot_id is None:
            raise ValueError("a question needs a start with a snapshot_id")
        unknown = set(self.patches) - set(CONDITIONS[1:])
        if unknown or not all(self.patches.values()):
            raise ValueError(f"patches must be non-empty texts for {CONDITIONS[1:]}, not {sorted(self.patches)}")

    @property
    def name(self) -> str:
        assert self.start.snapshot_id is not None
        return self.start.snapshot_id

    @property
    def stream(self) -> str:
        """Names the question's random streams and episodes: the snapshot, and the purpose unless it is the label."""
        return self.name if self.purpose == "label" else f"{self.purpose}/{self.name}"


@dataclass(frozen=True, slots=True)
class Values:
    """Rows of ESTIMATES, ACTION_VALUES (tree only), EPISODES and TREE_NODES, and what an engine fault left open."""

    estimates: pl.DataFrame
    action_values: pl.DataFrame
    episodes: pl.DataFrame
    nodes: pl.DataFrame
    faults: dict[str, str]  # snapshot_id -> reason


def expert_actions(tables: Tables, questions: Sequence[Question], expert: Expert) -> list[ExpertAction]:
    """The expert's answer at each question's snapshot; None at a dead end or after the end of the game."""
    asked: list[tuple[Table, Place]] = []
    answers: dict[int, ExpertAction] = {}
    where: list[int] = []
    for index, question in enumerate(questions):
        table = tables[question.start.task]
        try:
            place = table.place(question.start)
        except EngineFault as fault:
            answers[index] = fault
            continue
        if place.state.done or not place.state.commands:
            answers[index] = None
            continue
        where.append(index)
        asked.append((table, place))
    for index, (_, place), answer in zip(where, asked, expert.commands(asked), strict=True):
        answers[index] = NO_EXPERT if answer is None and not place.state.unwinnable else answer
    return [answers[index] for index in range(len(questions))]
