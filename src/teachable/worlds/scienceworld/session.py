"""Playing one game of ScienceWorld."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from teachable.worlds.base import EngineFault, InadmissibleCommand, RestoreMismatch, State, Task, WorldError
from teachable.worlds.scienceworld.commands import VERBS, Reach, offered
from teachable.worlds.scienceworld.engine import Engine, Reply
from teachable.worlds.scienceworld.expert import HELD, advise
from teachable.worlds.scienceworld.games import Game, digest_of, structure_of
from teachable.worlds.scienceworld.scene import scene_of


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a session: what led to it, and what it shows."""

    played: tuple[str, ...]
    state: State
    mark: str  # a digest of what the engine shows there, however it came there
    reach: Reach
    reached: int  # goals, of those that come in order
    moved: int | None  # what was focused on last and must be moved
    seen: dict[int, str]  # where the objects that matter were seen last: a room or HELD


class ScienceWorldSession:
    """One running game; see :class:`teachable.worlds.base.Session`.

    ``verbs``: of the commands that are offered. ``holders``: how the names of containers end that things may be moved
    into; none: into all.
    """

    def __init__(
        self, task: Task, game: Game, engine: Engine, verbs: tuple[str, ...], holders: tuple[str, ...]
    ) -> None:
        self.task = task
        self._game, self._engine, self._verbs, self._holders = game, engine, verbs, holders
        with self._named():
            reply = engine.start()
            goal = engine.goal()
            if structure_of(goal, engine.tree()) != game.structure:
                raise WorldError(
                    f"task {task.task_id}: ScienceWorld makes another game of these numbers than when the task was "
                    "made: run the stage that makes the games again."
                )
            self._at = self._view(reply, goal, (), game.digest)
        self._at = replace(self._at, state=replace(self._at.state, observation=f"{goal}\n\n{tidy(reply.look)}"))

    @property
    def state(self) -> State:
        """The current state."""
        return self._at.state

    def step(self, command: str) -> State:
        """Play one admissible command."""
        before = self.state
        if before.done:
            raise InadmissibleCommand(f"task {self.task.task_id}: the game is over; {command!r} cannot be played.")
        if command not in before.commands:
            raise InadmissibleCommand(
                f"task {self.task.task_id}: {command!r} is not admissible here; admissible: "
                f"{', '.join(before.commands)}."
            )
        with self._named():
            self._return()
            carrier = self._carrier(command)
            reply = self._engine.step(command)
            self._at = self._view(reply, before.goal, (*self._at.played, command), before.digest, carrier)
        return self.state

    def _return(self) -> None:
        """Bring the engine here, and make sure that it is: playing again must show the same."""
        if self._engine.bring(self._at.played):
            _, _, _, mark = self._show(self._engine.reply)
            if mark != self._at.mark:
                raise RestoreMismatch(
                    f"task {self.task.task_id}: playing {len(self._at.played)} commands again led to another state; "
                    "the engine is not deterministic."
                )

    def _show(self, reply: Reply) -> tuple[Reach, tuple[str, ...], str, str]:
        """What can be reached, the commands, the scene, and a digest of all that the engine shows."""
        reach, things, names = self._engine.reach()
        commands: set[str] = set()
        if not (reply.won or reply.lost):
            listed = {verb: self._engine.valid(verb, things, names) for verb in {*self._verbs, "go"}}
            places = [command.removeprefix(VERBS["go"].start) for command in listed["go"]]
            for verb in self._verbs:
                commands |= {*offered(verb, listed[verb], reach, places, self._holders)}
        texts = (reply.observation, reply.look, reply.inventory, reply.progress, reply.score, reply.completed)
        mark = digest_of([*texts, sorted(commands)])
        return reach, tuple(sorted(commands)), scene_of(reply.look, reply.inventory), mark

    def _view(self, reply: Reply, goal: str, played: tuple[str, ...], before: str, carrier: int | None = None) -> Point:
        """The point after ``played``. A clock runs in this world, so the way to a state is part of its digest."""
        reach, commands, scene, mark = self._show(reply)
        state = State(
            goal=goal,
            observation=tidy(reply.observation),
            scene=scene,
            memo="",
            commands=commands,
            score=reply.score,
            won=reply.won,
            lost=reply.lost,
            unwinnable=reply.lost,
            digest=digest_of([before, played[-1:], mark]),
        )
        moved = carrier if carrier is not None else self._at.moved if played else None
        seen = dict(self._at.seen) if played else {}
        for id in (*(target.id for target in self._game.focus), self._game.box and self._game.box.id, moved):
            if id is not None and reach.name(id):
                seen[id] = HELD if id in reach.held else reach.room
        return Point(played, state, mark, reach, reply.reached, moved, seen)

    def _carrier(self, command: str) -> int | None:
        """What must be moved after focusing on a thing: it, or the flower pot that it grows in."""
        start = VERBS["focus"].start
        if self._game.box is None or not command.startswith(start):
            return None
        id = self._at.reach.id(command.removeprefix(start))
        if id is None:
            return None
        _, things, _ = self._engine.reach()
        holder = self._engine.holder(things, id)
        potted = holder is not None and self._at.reach.name(holder).startswith("flower pot")
        return holder if potted else id

    def expert_command(self) -> str | None:
        """The next command of the nearest errand; None where there is none that is offered."""
        if self.state.done:
            return None
        at = self._at
        command = advise(self._game, at.reach, at.reached, at.moved, at.seen)
        return command if command in self.state.commands else None

    def save(self) -> Point:
        """A point of this session; free."""
        return self._at

    def restore(self, saved: Point) -> State:
        """Come back to a point of this session; the engine follows when the next command is played."""
        if self._engine.closed:
            raise EngineFault(f"task {self.task.task_id}: the engine has been closed.")
        self._at = saved
        return self.state

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Faults of the engine name the task."""
        try:
            yield
        except EngineFault as error:
            raise EngineFault(f"task {self.task.task_id}: {error}") from error

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()


def tidy(text: str) -> str:
    """Text without indentation, trailing blanks and empty lines."""
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)
