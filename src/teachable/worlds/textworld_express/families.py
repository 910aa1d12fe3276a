"""The families of TextWorldExpress: its games, and a small one of cooking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of game."""

    name: str
    game: str  # as TextWorldExpress calls it
    about: str
    parameters: Mapping[str, int] = field(default_factory=dict)  # of the game; those left out have its defaults
    document: str = ""  # what must be read before anything else
    in_hand: bool = False  # whether it can only be read in hand
    renewed: bool = False  # whether the document says something else after each success
    puts: bool = False  # whether the goal needs `put`
    can_fail: bool = True  # whether a wrong command can lose the game
    longest: int = 100  # commands of its expert's longest play


_OPEN = {"includeDoors": 0, "limitInventorySize": 0}

FAMILIES = {
    family.name: family
    for family in (
        Family(
            "easy",
            "cookingworld",
            "a kitchen, one ingredient to find and prepare in five commands (cookingworld at its smallest)",
            {"numLocations": 1, "numIngredients": 1, "numDistractorItems": 2, **_OPEN},
            document="cookbook",
            longest=5,
        ),
        Family(
            "cookingworld",
            "cookingworld",
            "three rooms, two ingredients to find and prepare",
            {"numLocations": 3, "numIngredients": 2, "numDistractorItems": 4, **_OPEN},
            document="cookbook",
        ),
        Family(
            "arithmetic",
            "arithmetic",
            "a problem to read, and its answer to put into the box",
            document="math problem",
            in_hand=True,
            puts=True,
        ),
        Family("sorting", "sorting", "things to put into the box, the smallest quantity first", puts=True),
        Family("simonsays", "simonsays", "five commands to repeat as Simon says them", {"numDistractors": 3}),
        Family(
            "peckingorder",
            "peckingorder",
            "things to take in the order that the instructions tell one by one",
            document="instructions book",
            renewed=True,
        ),
        Family(
            "twc",
            "twc",
            "two rooms, two things to put where such things belong",
            {"numLocations": 2, "numItemsToPutAway": 2},
            puts=True,
            can_fail=False,
        ),
        Family(
            "coin",
            "coin",
            "six rooms with doors, a coin to find",
            {"numLocations": 6, "limitInventorySize": 0},
            can_fail=False,
        ),
        Family(
            "mapreader",
            "mapreader",
            "eight rooms and a map, a coin to fetch and put into a box",
            {"numLocations": 8, "maxDistanceApart": 3, "maxDistractorItemsPerLocation": 1},
            document="map",
            in_hand=True,
            puts=True,
            can_fail=False,
        ),
    )
}
