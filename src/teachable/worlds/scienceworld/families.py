"""The families of ScienceWorld: those of its tasks whose gold path fits into 15 commands and needs no electricity."""

from __future__ import annotations

FAMILIES = {
    "find-animal": "find an animal, focus on it, bring it into the box that the task names",
    "find-living-thing": "the same with any living thing",
    "find-non-living-thing": "the same with a thing that does not live",
    "find-plant": "the same with a plant, which moves with its flower pot",
    "lifespan-longest-lived": "go where the animals are and focus on the one that lives longest",
    "lifespan-shortest-lived": "go where the animals are and focus on the one that lives shortest",
    "lifespan-longest-lived-then-shortest-lived": "focus on the one that lives longest, then on the other",
}
