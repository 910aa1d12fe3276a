"""A world small enough to enumerate, and a student that is a table."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from teachable.student.prompt import Context
from teachable.worlds.base import EngineFault, InadmissibleCommand, State, Task

GAMES = Path("unused")


def unit(*names: object) -> float:
    """A number in [0, 1) that depends on the names alone."""
    digest = hashlib.sha256("|".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def make_task(seed: int, family: str = "maze", split: str = "train") -> Task:
    return Task(f"{family}-{seed}", "tiny", family, split, seed, f"{seed}.z8", f"d{seed}", 3)


@dataclass
class Maze:
    """Numbered rooms; command ``c`` in room r leads to a room, or ends the game, as the seed has it."""

    seed: int
    rooms: int = 8
    width: int = 3

    def commands(self, room: int) -> tuple[str, ...]:
        number = 2 + int(unit(self.seed, "n", room) * (self.width - 1))
        return tuple(sorted(f"go {'abcdef'[i]}" for i in range(number)))

    def leads(self, room: int, command: str) -> int:
        """A room; ``-1`` won, ``-2`` lost."""
        u = unit(self.seed, "to", room, command)
        if u < 0.12 and room >= self.rooms // 2:
            return -1
        if u > 0.93:
            return -2
        return int(unit(self.seed, "room", room, command) * self.rooms)

    @cache  # noqa: B019
    def distance(self) -> dict[int, int]:
        """Fewest commands to a win, by room; rooms without one are missing."""
        found: dict[int, int] = {}
        for steps in range(1, self.rooms + 2):
            for room in range(self.rooms):
                ends = [self.leads(room, c) for c in self.commands(room)]
                if room not in found and any(e == -1 or found.get(e, 99) == steps - 1 for e in ends):
                    if steps == 1 and -1 not in ends:
                        continue
                    found[room] = steps
        return found

    def __hash__(self) -> int:
        return hash((self.seed, self.rooms, self.width))


@dataclass
class MazeSession:
    task: Task
    maze: Maze
    world: TinyWorld
    room: int = 0
    seen: str = "begin"
    closed: bool = False

    @property
    def state(self) -> State:
        return self._state(self.room, self.seen)

    def _state(self, room: int, seen: str) -> State:
        return State(
            goal="get out",
            observation=seen,
            scene=f"room {room}" if room >= 0 else "out",
            memo="",
            commands=self.maze.commands(room) if room >= 0 else (),
            score=float(room == -1),
            won=room == -1,
            lost=room == -2,
            unwinnable=room == -2 or (room >= 0 and room not in self.maze.distance()),
            digest=f"{self.task.task_id}:{room}",
        )

    def step(self, command: str) -> State:
        assert not self.closed
        self.world.trouble(self.task, self.room, command)
        if command not in self.state.commands:
            raise InadmissibleCommand(f"{command!r} is not offered in room {self.room}")
        self.seen = f"you go from {self.room} by {command}"
        self.room = self.maze.leads(self.room, command)
        return self.state

    def expert_command(self) -> str | None:
        distance = self.maze.distance()
        if self.room not in distance:
            return None
        return min(
            self.state.commands,
            key=lambda c: 0 if self.maze.leads(self.room, c) == -1 else distance.get(self.maze.leads(self.room, c), 98),
        )

    def save(self) -> object:
        return (self.room, self.seen)

    def restore(self, saved: object) -> State:
        self.room, self.seen = saved  # type: ignore[misc]
        return self.state

    def close(self) -> None:
        self.closed = True


@dataclass
class TinyWorld:
    """``faults`` maps (task_id, room, command) to how many times that step fails."""

    name: str = "tiny"
    rooms: int = 8
    width: int = 3
    faults: dict[tuple[str, int, str], int] = field(default_factory=dict)
    started: int = 0

    def generate(self, family: str, split: str, seeds: Sequence[int], games: Path) -> list[Task]:
        return [make_task(seed, family, split) for seed in seeds]

    def start(self, task: Task, games: Path) -> MazeSession:
        self.started += 1
        return MazeSession(task, Maze(task.seed, self.rooms, self.width), self)

    def trouble(self, task: Task, room: int, command: str) -> None:
        key = (task.task_id, room, command)
        if self.faults.get(key, 0) > 0:
            self.faults[key] -= 1
            raise EngineFault(f"task {task.task_id}: the engine died in room {room}")


@dataclass
class TablePolicy:
    """Log-probabilities from a hash of prompt and command; a patch that names a command makes it likely.

    ``sharpness`` scales the logits: 0 is uniform. ``adapters`` shift every logit by their own hash.
    """

    sharpness: float = 3.0
    obedience: float = 2.5
    batches: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def prompt(self, context: Context) -> str:
        last = context.history[-1][0] if context.history else "-"
        return f"{context.scene}\ndid: {last}\ntip: {context.patch or '-'}\nact:"

    def policy(
        self,
        prompts: Sequence[str],
        commands: Sequence[Sequence[str]],
        *,
        adapters: Sequence[str | None] | None = None,
    ) -> list[np.ndarray]:
        self.batches.append(len(prompts))
        self.seen += prompts
        names = adapters or [None] * len(prompts)
        return [self._logp(p, c, a) for p, c, a in zip(prompts, commands, names, strict=True)]

    def _logp(self, prompt: str, commands: Sequence[str], adapter: str | None) -> np.ndarray:
        tip = prompt.split("tip: ")[1].split("\n")[0]
        bare = prompt.replace(f"tip: {tip}", "tip: -")
        logits = np.array(
            [
                self.sharpness * unit(bare, command, adapter) + self.obedience * (command in tip) + 0.3 * unit(tip)
                for command in commands
            ]
        )
        return logits - (logits.max() + math.log(np.exp(logits - logits.max()).sum()))


def brute_force(
    world: TinyWorld,
    policy: TablePolicy,
    task: Task,
    prefix: Sequence[str],
    steps: int,
    *,
    patch: str = "",
    patch_later: bool = False,
    force: str | None = None,
) -> float:
    """P(success) by enumerating every course of play."""
    maze = Maze(task.seed, world.rooms, world.width)
    session = MazeSession(task, maze, world)
    history: list[tuple[str, str]] = []
    for command in prefix:
        history.append((command, session.step(command).observation))

    def value(room: int, seen: str, done: tuple[tuple[str, str], ...], left: int, first: bool) -> float:
        if room == -1:
            return 1.0
        if room == -2 or left == 0:
            return 0.0
        state = session._state(room, seen)
        tip = patch if first or patch_later else ""
        context = Context(state.goal, state.memo, state.scene, state.observation, done, state.commands, tip)
        pi = np.exp(policy._logp(policy.prompt(context), state.commands, None))
        if first and force is not None:
            pi = np.array([float(c == force) for c in state.commands])
        total = 0.0
        for p, command in zip(pi, state.commands, strict=True):
            if p > 0:
                text = f"you go from {room} by {command}"
                onward = (*done, (command, text))
                total += p * value(maze.leads(room, command), text, onward, left - 1, False)
        return total

    return value(session.room, session.seen, tuple(history), steps, True)


def patches_for(commands: Sequence[str]) -> Mapping[str, str]:
    """Four patches that name different commands where there are enough."""
    return {
        "placebo": "look around carefully",
        "demo": f"there, {commands[0]} worked",
        "contrast": f"there, {commands[-1]} was better than waiting",
        "hint": f"something like {commands[len(commands) // 2]} is missing",
    }
