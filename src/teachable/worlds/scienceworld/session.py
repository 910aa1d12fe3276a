"""Playing one game of ScienceWorld."""

from __future__ import annotations

from dataclasses import dataclass, replace

from teachable.worlds.base import EngineFault, RestoreMismatch, State, Task, WorldError, check_admissible, faults_of
from teachable.worlds.files import digest_of, structure_of
from teachable.worlds.scienceworld.commands import VERBS, Reach, offered
from teachable.worlds.scienceworld.engine import Engine
from teachable.worlds.scienceworld.engines import Engines
from teachable.worlds.scienceworld.expert import HELD, Known, advise
from teachable.worlds.scienceworld.games import Game
from teachable.worlds.scienceworld.reply import Reply
from teachable.worlds.scienceworld.scene import scene_of
from teachable.worlds.words import tidy


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a session: what led to it, and what it shows."""

    played: tuple[str, ...]
    state: State
    mark: str  # a digest of what the engine shows there, however it came there
    reach: Reach
    reached: int  # goals, of those that come in order
    known: Known


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
        self._engines = Engines(engine)
        with faults_of(self.task):
            reply = engine.start()
            goal = engine.goal()
            if structure_of(goal, engine.tree()) != game.structure:
                raise WorldError(
                    f"task {task.task_id}: ScienceWorld makes another game of these numbers than when the task was "
                    "made: run the stage that makes the games again."
                )
            self._at = self._view(reply, goal, (), game.digest, Known())
        self._at = replace(self._at, state=replace(self._at.state, observation=f"{goal}\n\n{tidy(reply.look)}"))

    @property
    def state(self) -> State:
        """The current state."""
        return self._at.state

    def step(self, command: str) -> State:
        """Play one admissible command."""
        before = self.state
        check_admissible(self.task, self.state, command)
        with faults_of(self.task):
            self._return()
            focused, moved = self._focus(command)
            known, reached = self._at.known, self._at.reached
            reply = self._engine.step(command)
            if focused is not None:
                known = replace(known, focused=focused)
                if reached < reply.reached == len(self._game.focus):
                    known = replace(known, found=focused, moved=moved)
            self._at = self._view(reply, before.goal, (*self._at.played, command), before.digest, known)
        return self.state

    def _return(self) -> None:
        """Bring an engine here, and make sure that it is: playing again must show the same."""
        self._engine, again = self._engines.bring(self._at.played)
        if again:
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
            listed = {verb: self._engine.valid(verb, things, names) for verb in sorted({*self._verbs, "go"})}
            places = [command.removeprefix(VERBS["go"].start) for command in listed["go"]]
            for verb in self._verbs:
                commands |= {*offered(verb, listed[verb], reach, places, self._holders)}
        texts = (reply.observation, reply.look, reply.inventory, reply.progress, reply.score, reply.completed)
        mark = digest_of([*texts, sorted(commands)])
        return reach, tuple(sorted(commands)), scene_of(reply.look, reply.inventory), mark

    def _view(self, reply: Reply, goal: str, played: tuple[str, ...], before: str, known: Known) -> Point:
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
        seen = dict(known.seen)
        matter = [*self._game.focus, *([self._game.box] if self._game.box else [])]
        for id in (*(target.id for target in matter), known.found, known.moved):
            if id is not None and reach.name(id):
                seen[id] = HELD if id in reach.held else reach.room
        return Point(played, state, mark, reach, reply.reached, replace(known, seen=seen))

    def _focus(self, command: str) -> tuple[int | None, int | None]:
        """What ``command`` focuses on, and what must be moved for it: itself, or what holds it.

        The latter for a plant in its flower pot, and for what cannot be picked up, like a liquid in a cup.
        """
        start, at = VERBS["focus"].start, self._at
        name = command.removeprefix(start)
        id = at.reach.id(name) if command.startswith(start) else None
        if id is None or self._game.box is None or at.reached >= len(self._game.focus):
            return id, id
        _, things, _ = self._engine.reach()
        holder = self._engine.holder(things, id)
        holds = "" if holder is None else at.reach.name(holder)
        portable = id in at.reach.held or f"{VERBS['take'].start}{name}" in self.state.commands
        return id, holder if holds.startswith("flower pot") or not portable else id

    def expert_command(self) -> str | None:
        """The next command of the nearest errand; None where there is none that is offered."""
        if self.state.done:
            return None
        at = self._at
        command = advise(self._game, at.reach, at.reached, at.known)
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

    def close(self) -> None:
        """Free the engines."""
        self._engines.close()
