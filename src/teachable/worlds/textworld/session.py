"""Playing one TextWorld game."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from teachable.worlds.base import EngineFault, State, Task, WorldError, check_admissible, faults_of
from teachable.worlds.textworld.engine import Engine, Reply, opening
from teachable.worlds.textworld.expert import Expert
from teachable.worlds.textworld.games import digest_of, game_of
from teachable.worlds.textworld.ground import READ, GroundGame, Mode
from teachable.worlds.textworld.scene import Scenes

_REMEMBERED = 20_000  # facets kept per game


@dataclass(frozen=True, slots=True)
class Facets:
    """What follows from a mode alone."""

    scene: str
    commands: tuple[str, ...]
    digest: str
    plan: tuple[str, ...] | None


class Game:
    """The parts of a game that all its sessions share: instantiated rules, scenes, the expert."""

    def __init__(self, ground: GroundGame) -> None:
        self.ground = ground
        self._scenes = Scenes(ground)
        self._expert = Expert(ground)
        self._facets: dict[Mode, Facets] = {}

    def facets(self, mode: Mode) -> Facets:
        """Scene, commands, digest and the expert's plan in ``mode``; remembered."""
        facets = self._facets.get(mode)
        if facets is None:
            if len(self._facets) >= _REMEMBERED:
                self._facets.clear()
            ground = self.ground
            over = ground.won(mode) or ground.failed(mode.facts, mode.quests)
            facets = Facets(
                scene=self._scenes.render(mode.facts),
                commands=() if over else ground.commands(mode),
                digest=ground.digest_of(mode),
                plan=self._expert.plan(mode),
            )
            self._facets[mode] = facets
        return facets


@lru_cache(maxsize=256)
def load(path: Path, stamp: tuple[int, int], pruned: frozenset[str]) -> Game:
    """The game whose metadata is at ``path``; ``stamp`` (size, time) makes a changed file load anew."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Game(GroundGame(game_of(data), digest_of(data), pruned))
    except (ValueError, KeyError, TypeError) as error:
        raise EngineFault(
            f"game file {path} is damaged ({type(error).__name__}: {error}): delete it and run the stage "
            "that makes the games again."
        ) from error


def open_game(path: Path, pruned: Iterable[str]) -> Game:
    """The (remembered) game whose metadata is at ``path``."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise WorldError(f"game file {path} is missing: run the stage that makes the games again.") from None
    return load(path, (stat.st_size, stat.st_mtime_ns), frozenset(pruned))


@dataclass(frozen=True, slots=True)
class Point:
    """A saved point of a session."""

    image: bytes
    mode: Mode
    state: State


class TextWorldSession:
    """One running game; see :class:`teachable.worlds.base.Session`."""

    def __init__(self, task: Task, game: Game, story: Path, turn_limit_s: float = 20.0) -> None:
        self.task = task
        self._game = game
        self._mode = game.ground.start
        goal = game.ground.goal
        with faults_of(self.task):
            self._engine = Engine(story, turn_limit_s, game.ground.digest)
            reply = Reply(opening(self._engine.banner), (), "", 0, won=False, lost=False)
        self.state = self._view(reply, goal, "")
        self.state = replace(self.state, observation=f"{goal}\n\n{reply.text}")

    def step(self, command: str) -> State:
        """Play one admissible command."""
        check_admissible(self.task, self.state, command)
        with faults_of(self.task):
            reply = self._engine.send(command)
        try:
            self._mode = self._game.ground.after(self._mode, reply.events)
        except LookupError as error:
            raise EngineFault(
                f"task {self.task.task_id}: after {command!r} the engine reports {error}, which no rule explains."
            ) from error
        memo = self.state.memo
        if command == READ and self._mode.read:
            memo = recipe(reply.text)
        self._verify(reply, command)
        self.state = self._view(reply, self.state.goal, memo)
        return self.state

    def _view(self, reply: Reply, goal: str, memo: str) -> State:
        facets = self._game.facets(self._mode)
        return State(
            goal=goal,
            observation=reply.text,
            scene=facets.scene,
            memo=memo,
            commands=facets.commands,
            score=float(reply.score),
            won=reply.won,
            lost=reply.lost,
            unwinnable=facets.plan is None,
            digest=facets.digest,
        )

    def _verify(self, reply: Reply, command: str) -> None:
        """The facts that are tracked and the engine must tell the same story."""
        ground, mode = self._game.ground, self._mode
        tracked = {
            "won": ground.won(mode),
            "lost": ground.failed(mode.facts, mode.quests),
            "score": ground.score(mode),
            "room": ground.names[ground.room(mode.facts).name].lower(),
        }
        told = {"won": reply.won, "lost": reply.lost, "score": reply.score, "room": reply.room.lower()}
        if reply.won:
            tracked["lost"] = False
        wrong = [f"{key}: engine {told[key]!r}, facts {tracked[key]!r}" for key in told if told[key] != tracked[key]]
        if wrong:
            raise EngineFault(
                f"task {self.task.task_id}: after {command!r} the engine and the tracked facts disagree "
                f"({'; '.join(wrong)}). Does the .z8 belong to its .json?"
            )

    def expert_command(self) -> str | None:
        """The first command of a shortest winning plan."""
        plan = self._game.facets(self._mode).plan
        return plan[0] if plan else None

    def save(self) -> Point:
        """A point of this session (about 40 kB)."""
        with faults_of(self.task):
            return Point(self._engine.save(), self._mode, self.state)

    def restore(self, saved: Point) -> State:
        """Come back to a point of this session."""
        with faults_of(self.task):
            self._engine.restore(saved.image)
        self._mode, self.state = saved.mode, saved.state
        return self.state

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()


def recipe(text: str) -> str:
    """The recipe in one line: ``ingredients: a, b; directions: dice the a, fry the a, prepare meal``."""
    match = re.search(r"Ingredients:\n(.*?)\n\s*\nDirections:\n(.*)", text, re.DOTALL)
    if match is None:
        return " ".join(text.split())
    ingredients, directions = (
        ", ".join(line.strip() for line in part.strip().splitlines() if line.strip()) for part in match.groups()
    )
    return f"ingredients: {ingredients}; directions: {directions}"
