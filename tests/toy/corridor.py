"""Corridor: rooms in a row and locked doors between them; a right and a wrong key lie before each."""

import hashlib
import json

from teachable import seeds
from teachable.worlds import InadmissibleCommand, State, Task, WorldEntry


def digest_of(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:32]


class CorridorSession:
    def __init__(self, task, games):
        self.task, self._doors = task, json.loads((games / task.game).read_text())  # [right key, wrong key] of each
        self.restore((0, (), 0, False, "You wake up."))  # room, keys held, doors open, lost, text

    def restore(self, saved):
        self._at = room, keys, opened, lost, text = saved
        won = room == len(self._doors)
        here = [] if won else [colour for colour in self._doors[room] if colour not in keys]
        commands = ["sing", "wait", *(f"take {colour} key" for colour in here), *["go west"][: room > 0]]
        commands += ["go east"] if opened > room else [f"open door with {colour} key" for colour in keys]
        door = "none" if won else f"{self._doors[room][0]} ({'open' if opened > room else 'closed'})"
        scene = f"room {room} | door: {door} | keys: {', '.join(here)} | you have: {', '.join(keys) or 'nothing'}"
        ends, digest = (float(opened), won, lost, lost), digest_of((self.task.digest, saved[:4]))
        offered = () if won or lost else tuple(sorted(commands))
        self.state = State("Walk to the end.", text, scene, "", offered, *ends, digest)
        return self.state

    def step(self, command):
        if command not in self.state.commands:
            raise InadmissibleCommand(f"task {self.task.task_id}: {command!r} is not admissible here.")
        room, keys, opened, lost, _ = self._at
        (verb, *rest), text = command.split(), "Nothing happens."
        if verb == "go":
            room += 1 if rest == ["east"] else -1
        elif verb == "take":
            keys = tuple(sorted((*keys, rest[0])))
        elif verb == "open":
            lost = rest[2] != self._doors[room][0]
            opened, text = opened + (not lost), "The key breaks." if lost else "It opens. Your score has gone up."
        return self.restore((room, keys, opened, lost, text))

    def expert_command(self):
        room, keys, opened, _, _ = self._at
        if self.state.done or self._doors[room][1] in keys:
            return None  # with the wrong key in hand it can still be won, but the expert knows no way
        right = self._doors[room][0]
        return "go east" if opened > room else f"{'open door with' if right in keys else 'take'} {right} key"

    def save(self):
        return self._at

    def close(self): ...


class Corridor:
    name, start = "corridor", staticmethod(CorridorSession)

    def __init__(self, max_expert_steps=0):
        self._most = min(2, max_expert_steps // 3)  # doors

    def generate(self, families, split, numbers, games, progress=None):
        return [self._make(split, number, games) for number in numbers]

    def _make(self, split, number, games):
        doors, rng = [], seeds.stream(number, "corridor", split)
        while not doors or int(digest_of(doors), 16) % 3 != ("warmstart", "train", "test").index(split):
            colours = iter(rng.permutation(["red", "blue", "green", "white", "black", "grey", "pink"]).tolist())
            doors = [(next(colours), next(colours)) for _ in range(1 + int(rng.integers(self._most)))]
        name = f"corridor-easy-{split}-{number}"
        (games / f"{name}.json").write_text(json.dumps(doors))
        return Task(name, "corridor", "easy", split, number, f"{name}.json", digest_of(doors), 3 * len(doors))


PLACE = "corridor:Corridor"
WORLD = WorldEntry("corridor", {"easy": "doors to open"}, play=PLACE, generator=PLACE, skills=("go", "open", "take"))
