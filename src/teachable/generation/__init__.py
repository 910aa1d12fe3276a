"""Where tasks come from: games out of seeds, each in exactly one split. :mod:`teachable.worlds` plays them.

A room of its own, so that an edit to how games are made concerns the stage that makes them and no stage
that plays them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from teachable.worlds.base import Task
from teachable.worlds.registry import get_entry

__all__ = ["Generator", "get_generator"]


class Generator(Protocol):
    """A source of tasks for the world of the same name."""

    name: str

    def generate(
        self,
        family: str | Sequence[str],
        split: str,
        seeds: Sequence[int],
        games: Path,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Task]:
        """One task per seed, in the order of ``seeds``; game files are written below ``games``.

        ``family`` is one for all or one for each seed. ``progress`` is told how many of how many are made.
        Raises :class:`~teachable.worlds.base.GenerationError` when a game cannot be made.
        """
        ...


def get_generator(name: str, *, max_expert_steps: int = 15, **options: Any) -> Generator:
    """The generator of the world called ``name``, with its own keyword options (``tasks.options``).

    ``max_expert_steps``: games whose shortest winning play is longer are not made. Raises :class:`WorldError` for an
    unknown name or option.
    """
    generator: Generator = get_entry(name).make("generator", "making", options, max_expert_steps=max_expert_steps)
    return generator
