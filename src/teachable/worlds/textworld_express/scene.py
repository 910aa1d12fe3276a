"""The scene: what `look around` and `inventory` would tell, in a line.

    kitchen | counter: cookbook, red apple (raw); fridge (closed); stove | exits: east, north (closed door)
    | you have: knife

Only what is visible: nothing in a closed container, nothing in another room. Things that no command can name are left
out. Order is alphabetical, so equal states read equal.
"""

from __future__ import annotations

import re

from teachable.worlds.textworld_express.facts import Facts, Thing

_TOLD = ("raw", "fried", "roasted", "grilled", "chopped", "sliced", "diced")


def scene_of(facts: Facts) -> str:
    """The scene for these facts."""
    room = facts.rooms[facts.here]
    places = [_place(thing) for thing in room.things if thing.holder or thing.words & {"heats"}]
    floor = [_item(thing) for thing in room.things if thing.words & {"movable", "readable"}]
    if floor:
        places.append(f"floor: {', '.join(sorted(floor))}")
    exits = [
        direction if way.open is None else f"{direction} ({'open' if way.open else 'closed'} door)"
        for direction, way in sorted(room.exits.items())
    ]
    carried = ", ".join(sorted(map(_item, facts.carried)))
    parts = [room.name, "; ".join(sorted(places)) or "nothing"]
    if exits:
        parts.append(f"exits: {', '.join(exits)}")
    return " | ".join([*parts, f"you have: {carried or 'nothing'}"])


def memo_of(text: str) -> str:
    """A document in one line; a recipe as ``ingredients: a, b; directions: dice the a, prepare meal``."""
    recipe = re.search(r"Ingredients:\n(.*?)\n\s*\nDirections:\n(.*)", text, re.DOTALL)
    if recipe is None:
        return " ".join(text.split())
    ingredients, directions = (
        ", ".join(line.strip() for line in part.strip().splitlines()) for part in recipe.groups()
    )
    return f"ingredients: {ingredients}; directions: {directions}"


def _item(thing: Thing) -> str:
    words = [word for word in _TOLD if word in thing.words]
    return f"{thing.name} ({', '.join(words)})" if words else thing.name


def _place(thing: Thing) -> str:
    if thing.openable and not thing.open:
        return f"{thing.name} (closed)"
    name = f"{thing.name} (open)" if thing.openable else thing.name
    inside = sorted(map(_item, thing.contents))
    return f"{name}: {', '.join(inside)}" if inside else name
