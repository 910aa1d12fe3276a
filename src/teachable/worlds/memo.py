"""A session that remembers: a transition seen before costs a dictionary lookup, not a turn of the engine.

Worlds here are deterministic and a digest stands for everything that shapes what follows, so the pair
``(digest, command)`` decides the next state, text included. The engine behind is brought to a place only when
an unseen transition is asked for. Whoever plays through a :class:`MemoSession` sees exactly what the plain
session would show.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from teachable.worlds.base import (
    EngineFault,
    InadmissibleCommand,
    RestoreMismatch,
    Saved,
    Session,
    State,
    Task,
)

K = TypeVar("K")
V = TypeVar("V")


class _Recent(Generic[K, V]):
    """A dictionary that forgets what was not used for longest."""

    def __init__(self, limit: int | None) -> None:
        self._items: OrderedDict[K, V] = OrderedDict()
        self._limit = limit

    def get(self, key: K) -> V | None:
        value = self._items.get(key)
        if value is not None and self._limit is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._items[key] = value
        if self._limit is not None:
            self._items.move_to_end(key)
            while len(self._items) > self._limit:
                self._items.popitem(last=False)

    def __len__(self) -> int:
        return len(self._items)


class _Place:
    """A state and how it was reached; places form a tree that shares its trunk."""

    __slots__ = ("command", "parent", "state")

    def __init__(self, state: State, parent: _Place | None = None, command: str = "") -> None:
        self.state = state
        self.parent = parent
        self.command = command


class _Table:
    """What is known of one task, and the engine that answers when nothing is."""

    def __init__(self, session: Session, limit: int | None, images: int) -> None:
        self.session = session
        self.users = 1
        self.root = _Place(session.state)
        self.turns = 0  # commands the engine has played
        self._origin = session.save()
        self._at: str | None = session.state.digest  # where the engine is; None after a fault
        self._transitions: _Recent[tuple[str, str], State] = _Recent(limit)
        self._experts: _Recent[str, tuple[str | None]] = _Recent(limit)
        self._images: _Recent[str, Saved] = _Recent(images)

    def step(self, place: _Place, command: str) -> _Place:
        key = (place.state.digest, command)
        state = self._transitions.get(key)
        if state is None:
            self._bring(place)
            state = self._play(command)
            self._transitions.put(key, state)
            if not state.done and self._images.get(state.digest) is None:
                self._images.put(state.digest, self.session.save())
        return _Place(state, place, command)

    def expert(self, place: _Place) -> str | None:
        digest = place.state.digest
        known = self._experts.get(digest)
        if known is None:
            self._bring(place)
            known = (self.session.expert_command(),)
            self._experts.put(digest, known)
        return known[0]

    def _play(self, command: str) -> State:
        self._at = None
        state = self.session.step(command)
        self.turns += 1
        self._at = state.digest
        # The engine is here now, so the expert is cheap; later the engine would have to come back.
        self._experts.put(state.digest, (self.session.expert_command(),))
        return state

    def _bring(self, place: _Place) -> None:
        """Bring the engine to ``place``, from an image of it or of an earlier place on its way."""
        way: list[_Place] = []
        here: _Place | None = place
        while here is not None and self._at != here.state.digest:
            image = self._images.get(here.state.digest) if here.parent is not None else self._origin
            if image is not None:
                self._at = None
                self.session.restore(image)
                self._at = here.state.digest
                break
            way.append(here)
            here = here.parent
        for step in reversed(way):
            if self._play(step.command).digest != step.state.digest:
                self._at = None
                raise RestoreMismatch(
                    f"task {self.session.task.task_id}: playing {step.command!r} again led to another state; "
                    "the engine is not deterministic."
                )


class MemoSession:
    """Wraps a session of any world; the same interface, and the same answers.

    ``limit`` bounds the transitions that are remembered (None: all; one is about 1 kB) and ``images`` the
    saved engine states (40 kB each in TextWorld). What was forgotten is played again. ``fork`` gives an
    independent cursor that shares the memory and the engine; the engine closes with the last of them.
    """

    def __init__(self, session: Session, *, limit: int | None = None, images: int = 256) -> None:
        if (limit is not None and limit < 1) or images < 1:
            raise ValueError("limit and images must be at least 1")
        self._table: _Table | None = _Table(session, limit, images)
        self._place = self._table.root
        self.task: Task = session.task

    @property
    def state(self) -> State:
        """The current state."""
        return self._place.state

    @property
    def turns(self) -> int:
        """Commands that the engine really played, for all forks together."""
        return self._open().turns

    def step(self, command: str) -> State:
        """Play one admissible command; free when it was played here before."""
        table = self._open()
        if command not in self.state.commands:
            raise InadmissibleCommand(
                f"task {self.task.task_id}: {command!r} is not admissible here; admissible: "
                f"{', '.join(self.state.commands) or 'nothing, the game is over'}."
            )
        self._place = table.step(self._place, command)
        return self.state

    def expert_command(self) -> str | None:
        """The expert's command here."""
        return self._open().expert(self._place)

    def save(self) -> Saved:
        """The current place; free."""
        return self._place

    def restore(self, saved: Saved) -> State:
        """Go to a saved place of this session or of a fork of it; free, the engine stays where it is."""
        self._open()
        self._place = saved
        return self.state

    def fork(self) -> MemoSession:
        """A second cursor at the same place, with the same memory and engine."""
        table = self._open()
        table.users += 1
        other = MemoSession.__new__(MemoSession)
        other._table, other._place, other.task = table, self._place, self.task
        return other

    def close(self) -> None:
        """Give up this cursor."""
        table, self._table = self._table, None
        if table is not None:
            table.users -= 1
            if table.users == 0:
                table.session.close()

    def _open(self) -> _Table:
        if self._table is None:
            raise EngineFault(f"task {self.task.task_id}: the session has been closed.")
        return self._table
