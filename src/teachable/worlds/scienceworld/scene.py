"""The scene: what `look around` and `inventory` would tell, in a line.

    kitchen | bowl: apple, banana; cupboard (closed); red box; sink | exits: bathroom, hallway | you have: orange

What says nothing is left out: the agent, the air, that something is empty, off, or an open door. Order is alphabetical,
so equal states read equal.
"""

from __future__ import annotations

import re

_ROOM = re.compile(r"(?:room|location) is called the (.+?)\. ")
_SILENT = ("the agent", "a substance called air")
_CUTS = (  # in this order, each until nothing changes: what holds something may lie in something
    (re.compile(r"\. The [^:.]*? door is (open|closed)(?=\.)"), r" (\1)"),
    (re.compile(r"\(containing nothing\)|\. (?:On|In) the [^:.]*? is: nothing\.?"), ""),
    (re.compile(r", which is (?:turned )?off|, which is deactivated|, which is closed"), ""),
    (re.compile(r", which is (?:turned )?on\b|, which is activated"), " (on)"),
    (re.compile(r", which is open"), " (open)"),
    (re.compile(r", currently reading a temperature of (-?\d+) degrees celsius"), r" (\1 degrees)"),
    (re.compile(r"\bA book \(([^()]*)\) titled [^,)]*"), r"book '\1'"),
    (re.compile(r"\.? (?:On|In) the [^:.]*? is: "), ": "),
    (re.compile(r" \(containing ((?:[^()]|\((?!containing)[^()]*\))*)\)"), r": \1"),
    (re.compile(r"\b(?:a substance called|a|A|an|the) (?=\S)"), ""),
    (re.compile(r"\s+(?=[:,;.])|\.+$"), ""),
)


def scene_of(look: str, inventory: str) -> str:
    """The scene for these answers of `look around` and `inventory`."""
    seen, _, doors = look.partition("You also see:")
    exits = sorted(
        name if state == "open" else f"{name} (closed)"
        for name, state in re.findall(r"door to the (.+?) \(that is (\w+)\)", doors)
    )
    parts = [place_of(look), "; ".join(_things(seen)) or "nothing"]
    if exits:
        parts.append(f"exits: {', '.join(exits)}")
    return " | ".join([*parts, f"you have: {', '.join(_things(inventory)) or 'nothing'}"])


def place_of(look: str) -> str:
    """The room that a description of it begins with; "" where there is none.

    >>> place_of("This outside location is called the outside. Here you see: ")
    'outside'
    """
    found = _ROOM.search(look)
    return found[1] if found else ""


def _things(text: str) -> list[str]:
    """What a list of things tells, each in few words, in alphabetical order."""
    lines = (line.strip() for line in text.splitlines() if line.startswith("\t"))
    return sorted(_short(line) for line in lines if line not in _SILENT)


def _short(text: str) -> str:
    """One thing without the words that say nothing.

    >>> _short("a fridge. The fridge door is closed. ")
    'fridge (closed)'
    >>> _short("a closet. The closet door is open. In the closet is: nothing.")
    'closet (open)'
    >>> _short("a chair. On the chair is: a bowl (containing a red apple, a jug (containing nothing)).")
    'chair: bowl: red apple, jug'
    >>> _short("a flower pot 2 (containing a apple tree in the adult stage, soil)")
    'flower pot 2: apple tree in adult stage, soil'
    """
    for pattern, instead in _CUTS:
        changed = 1
        while changed:
            text, changed = pattern.subn(instead, text)
    return " ".join(text.split()).rstrip(".")
