"""The scene: what `look` and `inventory` would tell, in a line.

    kitchen | counter: red apple, knife; fridge (closed); oven (closed); stove; table: cookbook
    | exits: east, north (closed wooden door) | you have: yellow potato (raw)

Rendered from the facts, but only from those the engine itself would print: nothing in a closed container,
nothing in another room, nothing behind a door. Food carries the words that the engine puts before its name
(``raw`` only for what must be cooked); no words means uncut and uncooked. Order is alphabetical, so equal
states read equal.
"""

from __future__ import annotations

from collections import defaultdict

from textworld.logic import Variable

from teachable.worlds.textworld.ground import GroundGame

_CUTS = ("chopped", "sliced", "diced")
_COOKED = ("fried", "roasted", "grilled")
_STATES = ("open", "closed", "locked")
_DIRECTIONS = {"north_of": "north", "south_of": "south", "east_of": "east", "west_of": "west"}


class Scenes:
    """Renders the states of one game."""

    def __init__(self, game: GroundGame) -> None:
        self._game = game

    def render(self, facts: int) -> str:
        """The scene for these facts."""
        names = self._game.names
        room = self._game.room(facts)
        holds = self._game.holds(facts)
        told: dict[Variable, set[str]] = defaultdict(set)  # unary facts: open(fridge), diced(carrot) ...
        inside: dict[Variable, list[Variable]] = defaultdict(list)  # what is in, on or at a holder
        exits: dict[str, Variable] = {}
        doors: dict[Variable, Variable] = {}
        for fact in holds:
            if len(fact.arguments) == 1:
                told[fact.arguments[0]].add(fact.name)
            elif fact.name in ("in", "on", "at") and fact.arguments[0].type != "P":
                inside[fact.arguments[1]].append(fact.arguments[0])
            elif fact.name in _DIRECTIONS and fact.arguments[1] == room:
                exits[_DIRECTIONS[fact.name]] = fact.arguments[0]
            elif fact.name == "link" and fact.arguments[0] == room:
                doors[fact.arguments[2]] = fact.arguments[1]

        def item(thing: Variable) -> str:
            words = _words(told[thing])
            return f"{names[thing.name]} ({', '.join(words)})" if words else names[thing.name]

        def items(holder: Variable) -> str:
            return ", ".join(sorted(item(thing) for thing in inside[holder]))

        def state(thing: Variable) -> str:
            return next((word for word in _STATES if word in told[thing]), "")

        furniture, floor = [], []
        for thing in inside[room]:
            if self._portable(thing):
                floor.append(item(thing))
                continue
            word = state(thing)
            text = f"{names[thing.name]} ({word})" if word else names[thing.name]
            contents = "" if word in ("closed", "locked") else items(thing)
            furniture.append(f"{text}: {contents}" if contents else text)
        furniture.sort()
        if floor:
            furniture.append(f"floor: {', '.join(sorted(floor))}")
        ways = []
        for direction in sorted(exits):
            door = doors.get(exits[direction])
            ways.append(f"{direction} ({state(door)} {names[door.name]})" if door else direction)
        hands = [thing for holder, things in inside.items() if holder.type == "I" for thing in things]
        carried = ", ".join(sorted(item(thing) for thing in hands))
        return " | ".join(
            [
                names[room.name],
                "; ".join(furniture) or "nothing",
                f"exits: {', '.join(ways) or 'none'}",
                f"you have: {carried or 'nothing'}",
            ]
        )

    def _portable(self, thing: Variable) -> bool:
        return self._game.is_a(thing.type, "o")


def _words(told: set[str]) -> list[str]:
    """What the engine prints before the name of a thing: how it is cut and how it is cooked."""
    words = [word for word in _CUTS if word in told]
    if "needs_cooking" in told:
        words.append("raw")
    elif "burned" in told:
        words.append("burned")
    else:
        words += [word for word in _COOKED if word in told]
    return words
