"""What games are asked for, checked: known families, a split, seeds that are distinct within a family."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from teachable.generation.splits import SPLITS
from teachable.worlds.base import WorldError


def wanted_games(
    world: str, known: Collection[str], family: str | Sequence[str], split: str, seeds: Sequence[int]
) -> list[tuple[str, int]]:
    """(family, seed) of every game asked for; ``family`` is one for all seeds or one for each.

    Raises :class:`WorldError` for a family that is not ``known``, an unknown split, or a request made twice.
    """
    families = [family] * len(seeds) if isinstance(family, str) else list(family)
    if len(families) != len(seeds):
        raise WorldError(f"{world}: {len(families)} families for {len(seeds)} seeds.")
    for name in {*families, *([family] if isinstance(family, str) else [])}:
        check_family(world, known, name)
    if split not in SPLITS:
        raise WorldError(f"there is no split {split!r}; splits: {', '.join(SPLITS)}.")
    wanted = [(name, int(seed)) for name, seed in zip(families, seeds, strict=True)]
    if len(set(wanted)) != len(wanted):
        raise WorldError(f"{world}: the seeds for {split} games of one family are not distinct.")
    return wanted


def check_family(world: str, known: Collection[str], name: str) -> None:
    """Raise :class:`WorldError` unless ``name`` is a family that is ``known``."""
    if name not in known:
        raise WorldError(f"{world} has no family {name!r}; it has: {', '.join(known)}.")
