"""Which split owns a game: a hash of its content decides.

So no game can be in two splits, whatever the seeds, and no split needs to know what the others hold.
"""

from __future__ import annotations

SPLITS = ("warmstart", "train", "test")

_PARTS = ("warmstart", "warmstart", "train", "train", "test")  # of five parts of all games


def split_of(structure: str) -> str:
    """The split that owns the game whose content hashes to ``structure`` (hexadecimal)."""
    return _PARTS[int(structure[:12], 16) % len(_PARTS)]
