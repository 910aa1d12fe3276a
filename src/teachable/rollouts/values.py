"""What is asked about a snapshot, and what both estimators answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

import polars as pl

from teachable.rollouts.expert import Expert, Turn
from teachable.rollouts.sessions import Environments, Start
from teachable.terms import CONDITIONS
from teachable.worlds.base import EngineFault


class _Answer(Enum):
    NO_EXPERT = "no expert here"


NO_EXPERT: Final = _Answer.NO_EXPERT
"""The task can still be won from here, and the expert knows no command."""

ExpertAction = str | EngineFault | Literal[_Answer.NO_EXPERT] | None
"""The expert's command at a snapshot, a fault of its engine, :data:`NO_EXPERT`, or None at a dead end."""


@dataclass(frozen=True, slots=True)
class Query:
    """The chances of success from one snapshot: leverage, and the patch test if there are patches.

    ``patches`` maps placebo, demo, contrast and hint to their texts; empty when only leverage is wanted
    (interval snapshots, or advice that is not valid). ``leverage`` False leaves out p_policy, p_force and p_expert: the
    patch test alone, for which no expert is asked. ``adapter`` names the student's adapter that plays.
    ``purpose`` says what the answer is for (label, before, after, drift): answers for different purposes come
    from different random streams, so that a label and the outcome it is compared with share no noise.
    """

    start: Start
    patches: Mapping[str, str] = field(default_factory=dict)
    adapter: str | None = None
    model: str = "base"
    purpose: str = "label"
    leverage: bool = True

    def __post_init__(self) -> None:
        if self.start.snapshot_id is None:
            raise ValueError("a query needs a start with a snapshot_id")
        unknown = set(self.patches) - set(CONDITIONS[1:])
        if unknown or not all(self.patches.values()):
            raise ValueError(f"patches must be non-empty texts for {CONDITIONS[1:]}, not {sorted(self.patches)}")
        if not (self.leverage or self.patches):
            raise ValueError("a query without leverage needs patches: it asks for nothing")

    @property
    def name(self) -> str:
        assert self.start.snapshot_id is not None
        return self.start.snapshot_id

    @property
    def stream(self) -> str:
        """Names the query's random streams and episodes: the snapshot, and the purpose unless it is the label."""
        return self.name if self.purpose == "label" else f"{self.purpose}/{self.name}"


@dataclass(frozen=True, slots=True)
class Values:
    """Rows of ESTIMATES, ACTION_VALUES (tree only), EPISODES and TREE_NODES, and what an engine fault left open."""

    estimates: pl.DataFrame
    action_values: pl.DataFrame
    episodes: pl.DataFrame
    nodes: pl.DataFrame
    faults: dict[str, str]  # snapshot_id -> reason


def expert_actions(environments: Environments, queries: Sequence[Query], expert: Expert) -> list[ExpertAction]:
    """The expert's answer at each query's snapshot, its best where it draws; None at a dead end or after the end of the
    game. Where leverage is
    not asked for, nor is the expert: its answer is :data:`NO_EXPERT`."""
    asked: list[Turn] = []
    answers: dict[int, ExpertAction] = {}
    where: list[int] = []
    for index, query in enumerate(queries):
        if not query.leverage:
            answers[index] = NO_EXPERT
            continue
        environment = environments[query.start.task]
        try:
            moment = environment.moment(query.start)
        except EngineFault as fault:
            answers[index] = fault
            continue
        if moment.state.done or not moment.state.commands:
            answers[index] = None
            continue
        where.append(index)
        asked.append(Turn(environment, moment))
    for index, turn, answer in zip(where, asked, expert.commands(asked), strict=True):
        answers[index] = NO_EXPERT if answer is None and not turn.moment.state.unwinnable else answer
    return [answers[index] for index in range(len(queries))]
