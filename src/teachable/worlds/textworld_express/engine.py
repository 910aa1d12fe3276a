"""The Java side of one session: a game of TextWorldExpress, brought to any state by playing to it.

TextWorldExpress has nothing to save: ``clone`` and ``serialize`` start a machine of their own and play from the start.
Playing is cheap (a command takes less than a millisecond), so an engine knows the commands that led to where it is and
plays what is missing. Object trees exist in every game, but the published call prints only cookingworld's; here rooms
and inventory are asked for theirs, after a command only those that it can have changed. Two games of sorting with the
same problem share its things if one machine runs both, so of these only the one that was started last is whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachable.worlds import java
from teachable.worlds.base import EngineFault, WorldError
from teachable.worlds.textworld_express.facts import Facts, facts_of

WORLD = "textworld_express"
PACKAGE = "textworld-express"
_ONE_ROOM = ("arithmetic", "sorting", "peckingorder")  # which have no list of rooms


@dataclass(frozen=True, slots=True)
class Reply:
    """What the engine answered to one command."""

    observation: str
    look: str  # what `look around` would tell
    inventory: str
    actions: tuple[str, ...]  # sorted, each once; the engine shuffles them
    score: float  # normalised: 1 when won, -1 or less when some games are lost
    won: bool
    lost: bool


class Engine:
    """One game: ``game`` with ``parameters`` and seed ``number`` of ``fold``; ``limit_s`` bounds a call, in seconds.

    Raises :class:`WorldError` where Java, the package or the parameters are missing or wrong, and
    :class:`EngineFault` for trouble of the machine.
    """

    def __init__(self, game: str, parameters: dict[str, int], fold: str, number: int, limit_s: float = 20.0) -> None:
        java.require(WORLD, PACKAGE)
        self.game, self._fold, self._number, self._limit = game, fold, number, limit_s
        self._parameters = ",".join(f"{name}={value}" for name, value in sorted(parameters.items()))
        self._machine: java.Machine | None = None
        self._played: list[str] | None = None  # commands that led to where the engine is; None: nowhere
        self._closed = False
        self._token = object()
        self._server: Any = None
        self._rooms: dict[str, Any] = {}  # Java's rooms by name
        self._bag: Any = None
        self._here = ""
        self._trees: dict[str, str] = {}  # JSON of each room, as of the last look at it
        self.reply: Reply  # the last one

    def start(self) -> Reply:
        """The start of the game."""
        if self._closed:
            raise EngineFault("the engine has been closed.")
        machine = java.connect(WORLD, _jar(), self._limit)
        if machine is not self._machine:
            self._machine, self._played = machine, None
            self._server = machine.make("textworldexpress.runtime.PythonInterface")
            self._load(machine.shared)
        self._played = None
        machine.shared[self.game] = self._token
        reply = _reply(self._call(self._server.generateNewGameJSON, self._number, self._fold, False))
        self._rooms, self._bag = {}, None
        if self.game != "simonsays":
            game = self._call(self._server.game)
            one = self.game in _ONE_ROOM
            rooms = [self._call(game.agentLocation)] if one else self._call(list, self._call(game.locations))
            self._rooms = {self._call(room.name): room for room in rooms}
            self._bag = self._call(game.agentInventory)
        self._trees, self._here, self.reply = {}, place_of(reply.look), reply
        self._played = []
        return reply

    def _load(self, shared: dict[str, Any]) -> None:
        """Have the server make games of this kind. Reading what a maker needs takes 50 ms, so makers are shared."""
        kind = f"{self.game}({self._parameters})"
        if kind in shared:
            self._call(getattr(self._server, "gameGenerator_$eq"), shared[kind])
            return
        said = self._call(self._server.load, self.game, self._parameters)
        if said:
            raise WorldError(f"TextWorldExpress makes no {self.game} with {self._parameters}: {said.strip()}")
        shared[kind] = self._call(self._server.gameGenerator)

    def reach(self, played: Sequence[str]) -> bool:
        """Bring the engine to the state after ``played``; whether that took playing from the start."""
        if self._closed:
            raise EngineFault("the engine has been closed.")
        at = self._played
        again = not self._whole() or at is None or list(played[: len(at)]) != at
        if again:
            self.start()
        for command in played[len(self._played or ()) :]:
            self.step(command)
        return again

    def step(self, command: str) -> Reply:
        """The answer to ``command``, which must be one that the engine offers."""
        if self._played is None:
            raise EngineFault("the engine is nowhere: bring it to a state first.")
        played, self._played = self._played, None
        reply = _reply(self._call(self._server.stepJSON, command))
        if reply.observation.startswith("Unknown action"):
            raise EngineFault(f"the engine does not know {command!r}, which it offered.")
        # Only what is in the room of the agent can change, but a door belongs to two rooms.
        if " door " in command:
            self._trees = {}
        elif not command.startswith("move "):
            self._trees.pop(self._here, None)
        self._here, self.reply = place_of(reply.look), reply
        self._played = [*played, command]
        return reply

    def facts(self) -> tuple[Facts | None, str]:
        """What is where, and the text that says so; (None, "") for simonsays, which has no places."""
        if not self._rooms:
            return None, ""
        if self._here not in self._rooms:
            raise EngineFault(f"the engine says that the agent is in {self._here!r}, which is none of the rooms.")
        for name, room in self._rooms.items():
            if name not in self._trees:
                self._trees[name] = self._call(room.toJSON)
        bag = self._call(self._bag.toJSON)
        text = "\n".join([self._here, bag, *(self._trees[name] for name in self._rooms), self._found()])
        try:
            return facts_of(self._here, self._trees, bag), text
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineFault(f"the engine's object tree cannot be read ({type(error).__name__}: {error}).") from error

    def solution(self, facts: Facts | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What is right in this game: pairs of a name and names or words, whose meaning is the game's.

        cookingworld: ingredient, how it must be prepared; twc: thing, its places; arithmetic, sorting, mapreader: box,
        what belongs into it, in order; coin, peckingorder: "take", what to take, in order; simonsays: none.
        """
        if facts is None:
            return ()
        if self.game == "cookingworld":
            recipe = json.loads(self._call(self._server.getObjectTree, ""))["recipe"]
            return tuple((one["name"], tuple(sorted(one["preparation"].split(", ")))) for one in recipe)
        scorer = self._call(self._call(self._server.game).scorer)
        if self.game == "twc":
            pairs = []
            for thing in self._things(scorer.taskObjects):
                places = self._call(list, self._call(thing.canonicalLocations))
                pairs.append((self._call(thing.name), tuple(sorted({p for p in places if any(facts.find(p))}))))
            return tuple(sorted(pairs))
        if self.game == "arithmetic":
            things = [self._call(scorer.correctObject)]
        elif self.game == "sorting":
            things = self._call(list, self._call(scorer.itemsToSort))
        elif self.game == "peckingorder":
            things = self._call(list, self._call(scorer.objectOrder))
        else:  # coin, mapreader
            things = self._things(scorer.taskObjects)
        key = "take" if self.game in ("coin", "peckingorder") else "box"
        return ((key, tuple(self._call(thing.name) for thing in things)),)

    def goal(self) -> str:
        """The task, in the engine's words."""
        return str(self._call(self._server.getTaskDescription))

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._closed

    def close(self) -> None:
        """Let go of the game; closing twice is harmless."""
        self._closed = True
        self._machine = self._server = self._bag = self._played = None
        self._rooms = {}

    def _whole(self) -> bool:
        """Whether nothing has happened to the game behind this engine's back."""
        if self._machine is None or not self._machine.alive:
            return False
        return self.game != "sorting" or self._machine.shared.get(self.game) is self._token

    def _found(self) -> str:
        """Which ingredients have ever been in hand: the score counts them for good."""
        if self.game != "cookingworld":
            return ""
        scorer = self._call(self._call(self._server.game).scorer)
        return str(self._call(list, self._call(scorer.ingredientsFound)))

    def _things(self, function: Any) -> list[Any]:
        """The things in the Scala buffer that ``function`` gives."""
        buffer = self._call(function)
        return [self._call(buffer.apply, index) for index in range(self._call(buffer.size))]

    def _call(self, function: Any, *arguments: Any) -> Any:
        if self._closed or self._machine is None:
            raise EngineFault("the engine has been closed.")
        return self._machine.call(function, *arguments)


def place_of(look: str) -> str:
    """The room that a description of it begins with; "" where there is none.

    >>> place_of("You are in the living room. In one part of the room you see a sofa.")
    'living room'
    """
    if not look.startswith("You are in the "):
        return ""
    return look.removeprefix("You are in the ").split(".", 1)[0]


def _jar() -> Path:
    from textworld_express.constants import JAR_PATH

    return Path(JAR_PATH)


def _reply(text: str) -> Reply:
    try:
        data = json.loads(text)
        return Reply(
            observation=data["observation"],
            look=data["look"],
            inventory=data["inventory"],
            actions=tuple(sorted(set(data["validActions"]))),
            score=float(data["score"]),
            won=data["tasksuccess"],
            lost=data["taskfailure"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise EngineFault(f"the engine's answer cannot be read ({error}): {text[:200]!r}") from error
