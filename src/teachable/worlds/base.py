"""The protocol between a world of tasks and the rest of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Task:
    """One game plus its goal; belongs to exactly one split."""

    task_id: str
    world: str
    family: str
    split: str
    seed: int
    game: str  # path of the game file, relative to the games directory
    digest: str  # of the canonicalised game
    expert_steps: int  # commands in the expert's winning play


@dataclass(frozen=True, slots=True)
class State:
    """Everything an agent may see at one decision, and what the bookkeeping needs."""

    goal: str  # the objective, in the engine's words
    observation: str  # the engine's text after the last command
    scene: str  # compact rendering of what `look` and `inventory` would tell; only what is visible
    memo: str  # compact text of the documents read so far
    commands: tuple[str, ...]  # admissible commands, sorted
    score: float
    won: bool
    lost: bool  # the game ended without success
    unwinnable: bool  # the solver says that it can no longer be won
    digest: str  # of the world state

    @property
    def done(self) -> bool:
        return self.won or self.lost


Saved = Any  # opaque to callers, valid within one process and one session


class Session(Protocol):
    """One running engine."""

    task: Task
    state: State

    def step(self, command: str) -> State: ...

    def expert_command(self) -> str | None: ...

    def save(self) -> Saved: ...

    def restore(self, saved: Saved) -> State: ...

    def close(self) -> None: ...


class World(Protocol):
    """A family of tasks with an engine and an expert."""

    name: str

    def generate(self, family: str, split: str, seeds: Sequence[int], games: Path) -> list[Task]: ...

    def start(self, task: Task, games: Path) -> Session: ...
