"""The protocol between a world of tasks and the rest of the project.

A world starts sessions on tasks and knows an expert; where its tasks come from is
:mod:`teachable.generation`'s affair. A state is plain data; a snapshot of a session that travels between
processes is only ``(task, commands, digest)`` and is brought back by :func:`replay`, which verifies that the
very same state was reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from teachable.errors import TeachableError


class WorldError(TeachableError):
    """A task, a game file or a command that a world cannot serve."""


class GenerationError(WorldError):
    """A game could not be made; nothing is left behind that looks like one."""


class InadmissibleCommand(WorldError):
    """A command that the current state does not offer."""


class EngineFault(WorldError):
    """The engine crashed, hung or answered nonsense: never a failure of the agent."""


class RestoreMismatch(WorldError):
    """Replaying a snapshot led to another state than the one recorded."""


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
        """Whether the game is over."""
        return self.won or self.lost


def check_admissible(task: Task, state: State, command: str) -> None:
    """Raise :class:`InadmissibleCommand`, naming the task, unless ``state`` offers ``command``."""
    if state.done:
        raise InadmissibleCommand(f"task {task.task_id}: the game is over; {command!r} cannot be played.")
    if command not in state.commands:
        raise InadmissibleCommand(
            f"task {task.task_id}: {command!r} is not admissible here; admissible: {', '.join(state.commands)}."
        )


@contextmanager
def faults_of(task: Task) -> Iterator[None]:
    """Engine faults in this context name the task."""
    try:
        yield
    except EngineFault as error:
        raise EngineFault(f"task {task.task_id}: {error}") from error


Saved = Any  # opaque to callers, valid within one process and one session


class Session(Protocol):
    """One running engine."""

    @property
    def task(self) -> Task: ...

    @property
    def state(self) -> State: ...

    def step(self, command: str) -> State:
        """Play one admissible command. Raises InadmissibleCommand or EngineFault."""
        ...

    def expert_command(self) -> str | None:
        """What the expert would do here, a function of the state alone.

        None when the game is over or can no longer be won; where it still can be (``state`` is neither ``done`` nor
        ``unwinnable``), None says that there is no expert here. Such a decision gets no forced action and no advice.
        """
        ...

    def save(self) -> Saved:
        """A point to come back to, for this session in this process."""
        ...

    def restore(self, saved: Saved) -> State:
        """Come back to a saved point; observation, commands, digest and expert are as they were."""
        ...

    def close(self) -> None:
        """Free the engine; closing twice is harmless."""
        ...


class World(Protocol):
    """Tasks with an engine and an expert; found by its :class:`~teachable.worlds.registry.WorldEntry`."""

    name: str

    def start(self, task: Task, games: Path) -> Session:
        """A session at the start of ``task``."""
        ...


def replay(world: World, task: Task, games: Path, commands: Sequence[str], digest: str | None = None) -> Session:
    """A session brought to the state that ``commands`` lead to from the start of ``task``.

    With ``digest`` the state reached is verified. Raises :class:`RestoreMismatch`, naming the task, when a
    command is not offered on the way or the digest differs; never returns a silently different state.
    """
    session = world.start(task, games)
    try:
        for index, command in enumerate(commands):
            try:
                session.step(command)
            except InadmissibleCommand as error:
                raise RestoreMismatch(
                    f"task {task.task_id}: command {index + 1} of {len(commands)} of the recorded prefix "
                    f"({command!r}) is not possible: the game differs from the one recorded ({error})"
                ) from error
        if digest is not None and session.state.digest != digest:
            raise RestoreMismatch(
                f"task {task.task_id}: after {len(commands)} commands the state digest is {session.state.digest}, "
                f"recorded was {digest}. The game file or a library changed: run the rollouts again."
            )
    except BaseException:
        session.close()
        raise
    return session
