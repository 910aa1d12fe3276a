"""The expert: the next right command, as a function of the state.

The engine's gold path starts at the beginning, wanders, and differs between resets. This one knows what each game wants
(the ``solution`` in its file) and where everything is. It splits that into errands (take the apple, put it into the
box), each with its shortest play, and does the nearest errand first; equally near ones in alphabetical order. Each
command brings the nearest errand one nearer, so the same state always gets the same advice and every play ends. What
a document tells is read before it is used, so that a student could do the same for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from teachable.worlds.graph import cheapest
from teachable.worlds.textworld_express.facts import Facts, Thing
from teachable.worlds.textworld_express.games import Game

Plan = tuple[str, ...]

_CUTS = {"chopped": "chop", "sliced": "slice", "diced": "dice"}
_HEATS = {"fried": ("stove",), "roasted": ("oven",), "grilled": ("barbeque", "toaster")}
_SIMON = re.compile(r"Simon says, '(.*)'")


def advise(game: Game, facts: Facts | None, *, observation: str, memo: str) -> Plan | None:
    """The commands of the nearest errand: the first is the expert's. None when none can be done.

    ``facts`` is None for simonsays, which has no places.
    """
    if facts is None:
        told = _SIMON.search(observation)
        return (told[1],) if told else None
    if game.kind.document and not memo:
        plans = _read(facts, game.kind.document, game.kind.in_hand)
    else:
        plans = _ERRANDS[game.kind.game](facts, dict(game.solution))
    return min(plans, key=lambda plan: (len(plan), plan), default=None)


def way(facts: Facts, room: str) -> Plan | None:
    """The shortest way to a room, closed doors opened; None when there is none."""

    def steps(here: str) -> Iterator[tuple[Plan, str]]:
        for direction, exit in sorted(facts.rooms[here].exits.items()):
            opening = (f"open door to {direction}",) if exit.open is False else ()
            yield (*opening, f"move {direction}"), exit.room

    return cheapest(facts.here, steps, lambda name: name == room)


def _reach(facts: Facts, name: str) -> Iterator[tuple[Plan, Thing]]:
    """Plans after which a thing of that name, not in hand, is within reach."""
    for room, inside, thing in facts.find(name):
        walk = way(facts, room)
        if walk is not None:
            yield (*walk, *(f"open {outer.name}" for outer in inside if outer.openable and not outer.open)), thing


def _take(facts: Facts, name: str) -> Iterator[Plan]:
    for plan, _ in _reach(facts, name):
        yield (*plan, f"take {name}")


def _put(facts: Facts, name: str, holders: tuple[str, ...]) -> Iterator[Plan]:
    for holder in holders:
        for plan, thing in _reach(facts, holder):
            opening = (f"open {holder}",) if thing.openable and not thing.open else ()
            yield (*plan, *opening, f"put {name} in {holder}")


def _read(facts: Facts, document: str, in_hand: bool) -> Iterator[Plan]:
    if facts.holding(document):
        yield (f"read {document}",)
    else:
        reaching = _take(facts, document) if in_hand else (plan for plan, _ in _reach(facts, document))
        yield from ((*plan, f"read {document}") for plan in reaching)


def _cook(facts: Facts, solution: dict[str, Plan]) -> Iterator[Plan]:
    if facts.holding("meal"):
        yield ("eat meal",)
        return
    done = True
    for name, preparation in solution.items():
        thing = facts.holding(name)
        if thing is None:
            done = False
            yield from _take(facts, name)
            continue
        for word in preparation:
            if word in thing.words:
                continue
            if word in _CUTS:
                done = False
                yield from [(f"{_CUTS[word]} {name}",)] if facts.holding("knife") else _take(facts, "knife")
            elif word in _HEATS:
                done = False
                for device in _HEATS[word]:
                    for plan, _ in _reach(facts, device):
                        yield (*plan, f"cook {name} in {device}")
    if done:
        walk = way(facts, "kitchen")
        if walk is not None:
            yield (*walk, "prepare meal")


def _fill_box(facts: Facts, solution: dict[str, Plan]) -> Iterator[Plan]:
    """The things of ``solution`` into its box, in order."""
    [(box, names)] = solution.items()
    inside = {thing.name for _, _, held in facts.find(box) for thing in held.contents}
    name = next((name for name in names if name not in inside), None)
    if name is not None:
        yield from _put(facts, name, (box,)) if facts.holding(name) else _take(facts, name)


def _take_all(facts: Facts, solution: dict[str, Plan]) -> Iterator[Plan]:
    """The things of ``solution``, in order."""
    for names in solution.values():
        name = next((name for name in names if not facts.holding(name)), None)
        if name is not None:
            yield from _take(facts, name)


def _tidy(facts: Facts, solution: dict[str, Plan]) -> Iterator[Plan]:
    """Each thing of ``solution`` to one of its places."""
    for name, places in solution.items():
        if facts.holding(name):
            yield from _put(facts, name, places)
        elif not any(inside and inside[-1].name in places for _, inside, _ in facts.find(name)):
            yield from _take(facts, name)


_ERRANDS = {
    "cookingworld": _cook,
    "arithmetic": _fill_box,
    "sorting": _fill_box,
    "mapreader": _fill_box,
    "coin": _take_all,
    "peckingorder": _take_all,
    "twc": _tidy,
}
