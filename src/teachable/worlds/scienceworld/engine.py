"""The Java side of one session: a task of ScienceWorld, brought to any state by playing to it.

ScienceWorld has nothing to save, and is deterministic only under two conditions, which hold here: the machine gives
every object the same identity hash (its sets are of such hashes), and the one random generator of the machine is
seeded before every call that may draw. Two more things are common to all games of a machine, the counter of object ids
and the simplifications, so they are put back when another engine has played in between.

``env.step`` of the package lists all valid commands each time (17 to 170 ms); here the server steps, and only the verbs
that are offered are listed, for things within reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from teachable.worlds import java
from teachable.worlds.base import EngineFault, WorldError
from teachable.worlds.scienceworld.commands import VERBS, Reach, pairs
from teachable.worlds.scienceworld.reply import Reply

WORLD = PACKAGE = "scienceworld"
FIXED = ("openDoors", "noElectricalAction")  # simplifications of every game
_OPTIONS = (
    *("-XX:+UnlockExperimentalVMOptions", "-XX:hashCode=2"),
    *(
        "-XX:TieredStopAtLevel=4",
        "-Xmx2g",
    ),  # busy for minutes: its best code takes half the time (8 ms a command, not 17)
)
_SEED = 0
_FIRST = "0"  # the answer to "which of these do you mean"


class Engine:
    """One game: variation ``number`` of ``task`` with ``simplifications``; ``limit_s`` bounds a call, in seconds.

    Raises :class:`WorldError` where Java or the package is missing, or ScienceWorld has no such task, and
    :class:`EngineFault` for trouble of the machine.
    """

    def __init__(self, task: str, number: int, simplifications: Sequence[str], limit_s: float = 60.0) -> None:
        java.require(WORLD, PACKAGE)
        self._task, self._number, self._limit = task, number, limit_s
        self._simplifications = tuple(simplifications)
        self._simple = ",".join([*FIXED, *simplifications])
        self._machine: java.Machine | None = None
        self._played: list[str] | None = None  # commands that led to where the engine is; None: nowhere
        self._closed = False
        self._token = object()
        self._count = 0  # of the ids given to objects of this game
        self._server: Any = None
        self._parts: dict[str, Any] = {}  # Scala objects by name
        self.reply: Reply  # the last one

    def start(self) -> Reply:
        """The start of the game."""
        self._load(gold=False)
        self._played, self.reply = [], self._reply("")
        return self.reply

    def gold(self) -> list[str]:
        """ScienceWorld's gold path, which it plays to find; the engine is nowhere afterwards."""
        self._load(gold=True)
        return [str(command) for command in self._call(list, self._call(self._server.getGoldActionSequence))]

    def variations(self) -> int:
        """How many variations the task has."""
        self._connect()
        return int(self._call(self._server.getTaskMaxVariations, self._task))

    def goal(self) -> str:
        """The task, in the engine's words."""
        return str(self._call(self._server.getTaskDescription))

    def tree(self) -> str:
        """Everything there is, as ScienceWorld's JSON (some 150 kB)."""
        return str(self._call(self._server.getObjectTree, ""))

    def another(self) -> Engine:
        """An engine of the same game, which is nowhere yet."""
        self._check_open()
        return Engine(self._task, self._number, self._simplifications, self._limit)

    def along(self, played: Sequence[str]) -> int:
        """How many of the commands ``played`` it has played, when it is on the way there; -1 when it is not."""
        at = self._played
        alive = self._machine is not None and self._machine.alive
        return len(at) if alive and at is not None and list(played[: len(at)]) == at else -1

    def bring(self, played: Sequence[str]) -> bool:
        """Bring the engine to the state after ``played``; whether that took playing from the start."""
        self._check_open()
        again = self.along(played) < 0
        if again:
            self.start()
        for command in played[len(self._played or ()) :]:
            self.step(command)
        return again

    def step(self, command: str) -> Reply:
        """The answer to ``command``; of several meanings it has the first."""
        if self._played is None:
            raise EngineFault("the engine is nowhere: bring it to a state first.")
        played, self._played = self._played, None
        self._turn()
        said = str(self._call(self._server.step, command))
        if said.startswith("Ambiguous request"):
            self._seed()
            said = str(self._call(self._server.step, _FIRST))
        if said.startswith(("No known action", "Unknown action", "ERROR", "Ambiguous")):
            raise EngineFault(f"the engine does not know {command!r}: {said.splitlines()[0]}")
        self._count = self._call(self._part("util.UniqueIdentifier").count)
        self.reply = self._reply(said)
        if self.reply.completed and self.reply.lost:  # how it goes on after an error of its own
            raise EngineFault(f"the engine failed at {command!r}: {said.splitlines()[0]}")
        self._played = [*played, command]
        return self.reply

    def reach(self) -> tuple[Reach, Any, Any]:
        """What can be reached from here; Java's array of it; Java's names of it."""
        self._turn()
        agent = self._agent()
        room = self._call(self._call(agent.getContainer).get)
        bag = self._call(agent.getInventoryContainer)
        seen = self._call(self._part("scienceworld.input.InputParser").collectAccessibleObjects, room, False)
        carried = self._call(bag.getContainedAccessibleObjects, False, False)
        both = self._array(seen, carried)
        names = self._names(both, room)
        held = pairs(self._call(self._names(self._array(carried), room).mkString, "\n"))
        here = pairs(self._call(names.mkString, "\n"))
        return Reach(str(self._call(room.name)), here, frozenset(held)), both, names

    def valid(self, verb: str, things: Any, names: Any) -> list[str]:
        """The valid commands of ``verb`` about ``things``, as :meth:`reach` gives them."""
        maker = self._part("scienceworld.actions." + VERBS[verb].action)
        made = self._call(maker.generatePossibleValidActions, self._agent(), things, names)
        text = str(
            self._call(self._call(self._part("scala.collection.mutable.WrappedArray").make, made).mkString, "\n")
        )
        return text.split("\n") if text else []

    def aliases(self, things: Any) -> dict[str, list[int]]:
        """Every name that an object of ``things`` answers to here, with the ids of those that do."""
        room, found = self._call(self._call(self._agent().getContainer).get), dict[str, list[int]]()
        for index in range(len(things)):
            called = self._call(self._part("scienceworld.input.InputParser").getObjectReferents, things[index], room)
            for name in called:
                found.setdefault(str(name), []).append(int(self._call(things[index].uuid)))
        return found

    def holder(self, things: Any, id: int) -> int | None:
        """The id of what holds the object ``id`` of ``things``; None where it is none of them, or in nothing."""
        for index in range(len(things)):
            if int(self._call(things[index].uuid)) == id:
                holder = self._call(things[index].getContainer)
                return int(self._call(self._call(holder.get).uuid)) if self._call(holder.isDefined) else None
        return None

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._closed

    def close(self) -> None:
        """Let go of the game; closing twice is harmless."""
        self._closed = True
        self._machine = self._server = self._played = None
        self._parts = {}

    def _check_open(self) -> None:
        if self._closed:
            raise EngineFault("the engine has been closed.")

    def _connect(self) -> None:
        self._check_open()
        machine = java.connect(WORLD, _jar(), self._limit, _OPTIONS)
        if machine is not self._machine:
            self._machine, self._parts, self._played = machine, {}, None
            self._server = machine.make("scienceworld.runtime.pythonapi.PythonInterface")

    def _load(self, gold: bool) -> None:
        self._connect()
        self._played = None
        self._seed()
        said = self._call(self._server.load, self._task, self._number, self._simple, gold)
        if said:
            raise WorldError(f"ScienceWorld has no variation {self._number} of {self._task}: {said}")
        getattr(self._server, "taskMaker_$eq")(None)  # 17,000 objects of all tasks, which a load makes anew
        self._seed()
        self._count = self._call(self._part("util.UniqueIdentifier").count)
        assert self._machine is not None
        self._machine.shared["playing"] = self._token

    def _turn(self) -> None:
        """Make what is common to all games of the machine this game's own, and seed."""
        assert self._machine is not None
        if self._machine.shared.get("playing") is not self._token:
            self._call(getattr(self._part("util.UniqueIdentifier"), "count_$eq"), self._count)
            processor = self._part("main.scala.scienceworld.runtime.SimplifierProcessor")
            self._call(processor.parseSimplificationStr, self._simple)
            self._machine.shared["playing"] = self._token
        self._seed()

    def _seed(self) -> None:
        self._call(self._part("scala.util.Random").setSeed, _SEED)

    def _reply(self, said: str) -> Reply:
        server = self._server
        return Reply(
            observation=said,
            look=str(self._call(server.freeActionLook)),
            inventory=str(self._call(server.freeActionInventory)),
            progress=str(self._call(server.getGoalProgressStr)),
            score=float(self._call(server.getScore)) if said else 0.0,
            completed=bool(self._call(server.getCompleted)) if said else False,
        )

    def _agent(self) -> Any:
        return self._call(self._call(self._server.agent).get)

    def _array(self, *sets: Any) -> Any:
        """Java's array of the objects in these Scala sets."""
        assert self._machine is not None
        sizes = [int(self._call(one.size)) for one in sets]
        array = self._machine.array("scienceworld.struct.EnvObject", sum(sizes))
        for index, one in enumerate(sets):
            self._call(one.copyToArray, array, sum(sizes[:index]))
        return array

    def _names(self, things: Any, room: Any) -> Any:
        """ScienceWorld's choice of a name for each of ``things``, as unique as it can be; it may draw."""
        self._seed()
        parser = self._call(self._call(self._call(self._server.agentInterface).get).inputParser)
        return self._call(parser.getAllUniqueReferentsLUTObjList, things, room, True, True)

    def _part(self, name: str) -> Any:
        """The Scala object called so."""
        if name not in self._parts:
            self._check_open()
            assert self._machine is not None
            self._parts[name] = self._machine.single(name)
        return self._parts[name]

    def _call(self, function: Any, *arguments: Any) -> Any:
        if self._closed or self._machine is None:
            raise EngineFault("the engine has been closed.")
        return self._machine.call(function, *arguments)


def _jar() -> Path:
    from scienceworld.constants import JAR_PATH

    return Path(JAR_PATH)
