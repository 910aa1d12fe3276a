"""The expert: errands that the gold path sets, with the nearest way to each.

ScienceWorld has a gold path from the start only. What it focuses on, and the box into which it brings that, are errands
that can be run from anywhere as long as nothing has changed them: go where the thing is, focus on it, take it, go where
the box is, move it there. Whoever has focused on another thing that is right, too, is sent on with that one, and back
to it after focusing on something else. Where a thing is neither in reach nor where it was seen last, the expert does
not know: there is no expert there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from teachable.worlds.graph import cheapest
from teachable.worlds.scienceworld.commands import Reach
from teachable.worlds.scienceworld.games import Game

HELD = "inventory"
_HALL = ("art studio", "bedroom", "greenhouse", "kitchen", "living room", "workshop")
_DOORS = (*(("hallway", room) for room in _HALL), *(("kitchen", room) for room in ("bathroom", "outside")))
DOORS = (*_DOORS, ("outside", "foundry"), ("outside", "greenhouse"))  # the same in every game; all are open


@dataclass(frozen=True, slots=True)
class Known:
    """What must be remembered on the way to a state; ids of objects."""

    focused: int | None = None  # what is in focus
    found: int | None = None  # what was focused on when that was the goal
    moved: int | None = None  # what must be moved for it: itself, or what holds it
    seen: Mapping[int, str] = field(default_factory=dict)  # object -> the room, or HELD, where it was seen last


def way(here: str, there: str) -> tuple[str, ...] | None:
    """The commands of a shortest way between two rooms; None when there is none.

    >>> way("bedroom", "bathroom")
    ('go to hallway', 'go to kitchen', 'go to bathroom')
    """

    def steps(room: str) -> Iterator[tuple[tuple[str, ...], str]]:
        for one, other in DOORS:
            if room in (one, other):
                beyond = other if room == one else one
                yield (f"go to {beyond}",), beyond

    return cheapest(here, steps, lambda room: room == there)


def advise(game: Game, reach: Reach, reached: int, known: Known) -> str | None:
    """The next command, to be given where it is offered; None when the expert knows none.

    ``reached``: how many goals have been.
    """
    if reached < len(game.focus):
        target = game.focus[reached]
        if name := reach.name(target.id):
            return f"focus on {name}"
        return _first(way(reach.room, known.seen.get(target.id, target.room)))
    if game.box is None or known.found is None or known.moved is None:
        return None
    if known.focused != known.found:  # only what is in focus is found in the box
        if name := reach.name(known.found):
            return f"focus on {name}"
        return _first(way(reach.room, known.seen.get(known.found, "")))
    name, box = reach.name(known.moved), reach.name(game.box.id)
    if name and box:
        return f"move {name} to {box}"
    if known.moved in reach.held:
        return _first(way(reach.room, known.seen.get(game.box.id, game.box.room)))
    return f"pick up {name}" if name else _first(way(reach.room, known.seen.get(known.moved, "")))


def _first(plan: tuple[str, ...] | None) -> str | None:
    return plan[0] if plan else None
