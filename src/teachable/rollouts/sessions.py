"""Games in play: one memoised session per task, and places in it that one can come back to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from teachable.student.prompt import Context
from teachable.worlds.base import (
    EngineFault,
    InadmissibleCommand,
    RestoreMismatch,
    Session,
    State,
    Task,
    World,
)
from teachable.worlds.memo import MemoSession


@dataclass(frozen=True, slots=True)
class Start:
    """Where an episode begins: a task, the commands that lead there, the digest to be verified."""

    task: Task
    prefix: tuple[str, ...] = ()
    digest: str | None = None
    snapshot_id: str | None = None


def starts_of(snapshots: Any, tasks: Mapping[str, Task]) -> list[Start]:
    """The starts of a SNAPSHOTS (or LABELED) frame, in its order; RestoreMismatch for an unknown task."""
    columns = ("task_id", "prefix", "digest", "snapshot_id")
    found = []
    for task_id, prefix, digest, snapshot_id in snapshots.select(columns).iter_rows():
        if task_id not in tasks:
            raise RestoreMismatch(f"snapshot {snapshot_id}: its task {task_id} is not in the task table")
        found.append(Start(tasks[task_id], tuple(prefix), digest, snapshot_id))
    return found


class Place:
    """A point in a game: the commands that led there, what was seen, and how to come back."""

    __slots__ = ("generation", "history", "path", "saved", "state")

    def __init__(
        self,
        path: tuple[str, ...],
        history: tuple[tuple[str, str], ...],
        state: State,
        saved: Any,
        generation: int,
    ) -> None:
        self.path = path
        self.history = history
        self.state = state
        self.saved = saved
        self.generation = generation

    def context(self, patch: str = "") -> Context:
        """All the student may know here."""
        state = self.state
        return Context(
            goal=state.goal,
            memo=state.memo,
            scene=state.scene,
            observation=state.observation,
            history=self.history,
            commands=state.commands,
            patch=patch,
        )


class Table:
    """The game of one task, shared by everything that plays it.

    After an engine fault the engine is thrown away, and places from before it are brought back in a new one
    by replaying their commands, so that one episode's fault does not touch another.
    """

    def __init__(self, world: World, games: Path, task: Task) -> None:
        self.task = task
        self._world, self._games = world, games
        self._session: Session | None = None
        self._generation = 0
        self._here: Place | None = None
        self._begin: Place | None = None

    def start(self) -> Place:
        """The start of the task. Raises EngineFault."""
        if self._begin is None or self._begin.generation != self._generation or self._session is None:
            self._guard(self._open)
        assert self._begin is not None
        return self._begin

    def place(self, start: Start) -> Place:
        """The place that ``start`` names, reached by its commands and verified.

        Raises RestoreMismatch, naming the task, when a command is not offered or the digest differs; EngineFault.
        """
        place = self.start()
        for index, command in enumerate(start.prefix):
            try:
                place = self.step(place, command)
            except InadmissibleCommand as error:
                raise RestoreMismatch(
                    f"task {self.task.task_id}: command {index + 1} of {len(start.prefix)} of the recorded "
                    f"prefix ({command!r}) is not possible: the game differs from the one recorded"
                ) from error
        if start.digest is not None and place.state.digest != start.digest:
            raise RestoreMismatch(
                f"task {self.task.task_id}: after {len(start.prefix)} commands the state digest is "
                f"{place.state.digest}, recorded was {start.digest}. The game file or a library changed: run "
                "the rollouts again."
            )
        return place

    def step(self, place: Place, command: str) -> Place:
        """Where ``command`` leads from ``place``. Raises InadmissibleCommand and EngineFault."""
        return self._guard(self._step, place, command)

    def expert(self, place: Place) -> str | None:
        """The oracle's command at ``place``; None at a dead end. Raises EngineFault."""
        return self._guard(self._expert, place)

    def close(self) -> None:
        session, self._session, self._here = self._session, None, None
        if session is not None:
            session.close()

    def _guard(self, action: Any, *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except EngineFault:
            self._generation += 1
            try:
                self.close()
            except EngineFault:
                self._session = None
            raise

    def _open(self) -> Session:
        self.close()
        self._session = MemoSession(self._world.start(self.task, self._games))
        self._begin = Place((), (), self._session.state, self._session.save(), self._generation)
        self._here = self._begin
        return self._session

    def _at(self, place: Place) -> Session:
        session = self._session if self._session is not None else self._open()
        if place.generation != self._generation:
            current = self._begin
            assert current is not None
            for command in place.path:
                current = self._step(current, command)
            if current.state.digest != place.state.digest:
                raise RestoreMismatch(f"task {self.task.task_id}: replay after an engine fault led to another state")
            place.saved, place.generation = current.saved, current.generation
        if self._here is not place:
            session.restore(place.saved)
            self._here = place
        return session

    def _step(self, place: Place, command: str) -> Place:
        session = self._at(place)
        state = session.step(command)
        self._here = Place(
            (*place.path, command),
            (*place.history, (command, state.observation)),
            state,
            session.save(),
            self._generation,
        )
        return self._here

    def _expert(self, place: Place) -> str | None:
        return self._at(place).expert_command()


class Tables:
    """Tables by task, opened on first use; a context manager that closes them.

    Beyond ``limit`` open tables the one that was not asked for for longest is closed.
    """

    def __init__(self, world: World, games: Path, limit: int | None = None) -> None:
        self._world, self._games, self._limit = world, games, limit
        self._open: OrderedDict[str, Table] = OrderedDict()

    def __getitem__(self, task: Task) -> Table:
        if task.task_id not in self._open:
            self._open[task.task_id] = Table(self._world, self._games, task)
            if self._limit is not None and len(self._open) > self._limit:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(task.task_id)
        return self._open[task.task_id]

    def release(self, task: Task) -> None:
        """Close the task's engine; places of it become invalid."""
        table = self._open.pop(task.task_id, None)
        if table is not None:
            table.close()

    def close(self) -> None:
        tables, self._open = list(self._open.values()), OrderedDict()
        for table in tables:
            table.close()

    def __enter__(self) -> Tables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def by_task(starts: Sequence[Start], tasks_at_once: int) -> list[list[int]]:
    """Indices of ``starts`` in groups of at most ``tasks_at_once`` tasks, in order of appearance."""
    grouped: dict[str, list[int]] = {}
    for index, start in enumerate(starts):
        grouped.setdefault(start.task.task_id, []).append(index)
    tasks = list(grouped.values())
    return [
        [index for indices in tasks[first : first + tasks_at_once] for index in indices]
        for first in range(0, len(tasks), tasks_at_once)
    ]
