"""Games in play: one memoised session per task, and places in it that one can come back to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from teachable.student.prompt import Context, Transition
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


class Moment:
    """A point in a game: the commands that led there, what was seen, and how to come back."""

    __slots__ = ("generation", "history", "path", "saved", "state")

    def __init__(
        self,
        path: tuple[str, ...],
        history: tuple[Transition, ...],
        state: State,
        saved: Any,
        generation: int,
    ) -> None:
        self.path = path
        self.history = history
        self.state = state
        self.saved = saved
        self.generation = generation

    def context(self, patch: str = "", patched: int | None = None) -> Context:
        """All the student may know here; `patched` is the decision that `patch` is for, None: this one."""
        state = self.state
        return Context(
            goal=state.goal,
            memo=state.memo,
            scene=state.scene,
            observation=state.observation,
            history=self.history,
            commands=state.commands,
            patch=patch,
            patched=patched,
        )

    def transition(self, command: str, observation: str) -> Transition:
        """This decision once it lies behind: `command` was chosen and gave `observation`."""
        state = self.state
        return Transition(command, observation, state.observation, state.memo, state.scene, state.commands)


class Environment:
    """The game of one task, shared by everything that plays it.

    After an engine fault the engine is thrown away, and places from before it are brought back in a new one
    by replaying their commands, so that one episode's fault does not touch another.
    """

    def __init__(self, world: World, games: Path, task: Task) -> None:
        self.task = task
        self._world, self._games = world, games
        self._session: Session | None = None
        self._generation = 0
        self._here: Moment | None = None
        self._begin: Moment | None = None

    def start(self) -> Moment:
        """The start of the task. Raises EngineFault."""
        if self._begin is None or self._begin.generation != self._generation or self._session is None:
            self._guard(self._open)
        assert self._begin is not None
        return self._begin

    def moment(self, start: Start) -> Moment:
        """The moment that ``start`` names, reached by its commands and verified.

        Raises RestoreMismatch, naming the task, when a command is not offered or the digest differs; EngineFault.
        """
        moment = self.start()
        for index, command in enumerate(start.prefix):
            try:
                moment = self.step(moment, command)
            except InadmissibleCommand as error:
                raise RestoreMismatch(
                    f"task {self.task.task_id}: command {index + 1} of {len(start.prefix)} of the recorded "
                    f"prefix ({command!r}) is not possible: the game differs from the one recorded"
                ) from error
        if start.digest is not None and moment.state.digest != start.digest:
            raise RestoreMismatch(
                f"task {self.task.task_id}: after {len(start.prefix)} commands the state digest is "
                f"{moment.state.digest}, recorded was {start.digest}. The game file or a library changed: run "
                "the rollouts again."
            )
        return moment

    def step(self, moment: Moment, command: str) -> Moment:
        """Where ``command`` leads from ``moment``. Raises InadmissibleCommand and EngineFault."""
        return self._guard(self._step, moment, command)

    def expert(self, moment: Moment) -> str | None:
        """The oracle's command at ``moment``; None at a dead end. Raises EngineFault."""
        return self._guard(self._expert, moment)

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
        self._begin = Moment((), (), self._session.state, self._session.save(), self._generation)
        self._here = self._begin
        return self._session

    def _at(self, moment: Moment) -> Session:
        session = self._session if self._session is not None else self._open()
        if moment.generation != self._generation:
            current = self._begin
            assert current is not None
            for command in moment.path:
                current = self._step(current, command)
            if current.state.digest != moment.state.digest:
                raise RestoreMismatch(f"task {self.task.task_id}: replay after an engine fault led to another state")
            moment.saved, moment.generation = current.saved, current.generation
        if self._here is not moment:
            session.restore(moment.saved)
            self._here = moment
        return session

    def _step(self, moment: Moment, command: str) -> Moment:
        session = self._at(moment)
        state = session.step(command)
        self._here = Moment(
            (*moment.path, command),
            (*moment.history, moment.transition(command, state.observation)),
            state,
            session.save(),
            self._generation,
        )
        return self._here

    def _expert(self, moment: Moment) -> str | None:
        return self._at(moment).expert_command()


class Environments:
    """Tables by task, opened on first use; a context manager that closes them.

    Beyond ``limit`` open tables the one that was not asked for for longest is closed.
    """

    def __init__(self, world: World, games: Path, limit: int | None = None) -> None:
        self._world, self._games, self._limit = world, games, limit
        self._open: OrderedDict[str, Environment] = OrderedDict()

    def __getitem__(self, task: Task) -> Environment:
        if task.task_id not in self._open:
            self._open[task.task_id] = Environment(self._world, self._games, task)
            if self._limit is not None and len(self._open) > self._limit:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(task.task_id)
        return self._open[task.task_id]

    def release(self, task: Task) -> None:
        """Close the task's engine; places of it become invalid."""
        environment = self._open.pop(task.task_id, None)
        if environment is not None:
            environment.close()

    def close(self) -> None:
        environments, self._open = list(self._open.values()), OrderedDict()
        for environment in environments:
            environment.close()

    def __enter__(self) -> Environments:
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
