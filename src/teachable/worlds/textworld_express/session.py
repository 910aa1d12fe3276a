"""Playing one game of TextWorldExpress."""

from __future__ import annotations

from dataclasses import dataclass, replace

from teachable.worlds.base import EngineFault, RestoreMismatch, State, Task, WorldError, check_admissible, faults_of
from teachable.worlds.files import digest_of, structure_of
from teachable.worlds.textworld_express.engine import Engine, Reply
from teachable.worlds.textworld_express.expert import advise
from teachable.worlds.textworld_express.facts import Facts
from teachable.worlds.textworld_express.games import Game
from teachable.worlds.textworld_express.scene import memo_of, scene_of
from teachable.worlds.words import tidy

_NEVER = ("look around", "inventory", "task")  # the scene and the goal tell what they would


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a session: what led to it, and what it shows."""

    played: tuple[str, ...]
    state: State
    plan: tuple[str, ...] | None


class TextWorldExpressSession:
    """One running game; see :class:`teachable.worlds.base.Session`.

    ``prune``: verbs that are not offered; ``put`` is where the family's goal needs it.
    """

    def __init__(self, task: Task, game: Game, engine: Engine, prune: tuple[str, ...] = ()) -> None:
        self.task = task
        self._game, self._engine = game, engine
        self._pruned = tuple(f"{verb} " for verb in prune if verb != "put" or not game.kind.puts)
        self._played: tuple[str, ...] = ()
        with faults_of(self.task):
            reply = engine.start()
            facts, text = engine.facts()
            goal = engine.goal()
        if structure_of(goal, reply.observation, text) != game.structure:
            raise WorldError(
                f"task {task.task_id}: TextWorldExpress makes another game of these numbers than when the task was "
                "made: run the stage that makes the games again."
            )
        self.state, self._plan = self._view(reply, facts, text, goal=goal, memo="")
        self.state = replace(self.state, observation=f"{goal}\n\n{self.state.observation}")

    def step(self, command: str) -> State:
        """Play one admissible command."""
        check_admissible(self.task, self.state, command)
        with faults_of(self.task):
            self._return()
            reply = self._engine.step(command)
            facts, text = self._engine.facts()
        memo = self.state.memo
        if command.startswith("read "):
            memo = memo_of(reply.observation)
        elif self._game.kind.renewed and reply.score != self.state.score:
            memo = ""  # it says something else now
        self.state, self._plan = self._view(reply, facts, text, goal=self.state.goal, memo=memo)
        self._played = (*self._played, command)
        return self.state

    def _return(self) -> None:
        """Bring the engine here, and make sure that it is: playing again must lead to the same digest."""
        if self._engine.reach(self._played):
            facts, text = self._engine.facts()
            state, _ = self._view(self._engine.reply, facts, text, goal=self.state.goal, memo=self.state.memo)
            if state.digest != self.state.digest:
                raise RestoreMismatch(
                    f"task {self.task.task_id}: playing {len(self._played)} commands again led to another state; the "
                    "engine is not deterministic."
                )

    def _view(
        self, reply: Reply, facts: Facts | None, text: str, *, goal: str, memo: str
    ) -> tuple[State, tuple[str, ...] | None]:
        done = reply.won or reply.lost
        commands = () if done else tuple(filter(lambda command: self._offered(command, memo), reply.actions))
        observation = tidy(reply.observation)
        plan = None if done else advise(self._game, facts, observation=observation, memo=memo)
        shown = text if facts is not None else observation
        state = State(
            goal=goal,
            observation=observation,
            scene=observation if facts is None else scene_of(facts),
            memo=memo,
            commands=commands,
            score=reply.score,
            won=reply.won,
            lost=reply.lost,
            unwinnable=reply.lost,
            digest=digest_of([self._game.digest, shown, memo, reply.score, reply.won, reply.lost, commands]),
        )
        return state, plan

    def _offered(self, command: str, memo: str) -> bool:
        if command in _NEVER or (command.startswith("examine ") and self._game.kind.game != "simonsays"):
            return False
        if memo and command.startswith("read "):
            return False  # it is known
        return not command.startswith(self._pruned)

    def expert_command(self) -> str | None:
        """The first command of the nearest errand; None where there is none that is offered."""
        if not self._plan or self._plan[0] not in self.state.commands:
            return None
        return self._plan[0]

    def save(self) -> Point:
        """A point of this session; free."""
        return Point(self._played, self.state, self._plan)

    def restore(self, saved: Point) -> State:
        """Come back to a point of this session; the engine follows when the next command is played."""
        if self._engine.closed:
            raise EngineFault(f"task {self.task.task_id}: the engine has been closed.")
        self._played, self.state, self._plan = saved.played, saved.state, saved.plan
        return self.state

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()
