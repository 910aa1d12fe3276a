"""Where tasks come from: games out of seeds, each in exactly one split. :mod:`teachable.worlds` plays them.

A room of its own, so that an edit to how games are made concerns the stage that makes them and no stage that
plays them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from teachable.worlds.base import Task, WorldError, construct

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


def get_generator(name: str, **options: Any) -> Generator:
    """The generator called ``name``, with its own keyword options.

    A generator is one module (or package) ``teachable.generation.<name>`` with an attribute ``GENERATOR``, the
    class to call. Raises :class:`WorldError` for an unknown name or option.
    """
    known = [item.name for item in pkgutil.iter_modules(__path__)]
    if name not in known:
        raise WorldError(f"there is no generator called {name!r}; known generators: {', '.join(sorted(known))}.")
    factory = importlib.import_module(f"{__name__}.{name}").GENERATOR
    generator: Generator = construct(f"generator {name!r}", factory, options)
    return generator
