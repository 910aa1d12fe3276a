"""Names shared by the tests of this room."""

from __future__ import annotations

import pytest

from .tiny import GAMES, Maze, TablePolicy, TinyWorld, make_task, patches_for


@pytest.fixture
def world() -> TinyWorld:
    return TinyWorld()


@pytest.fixture
def policy() -> TablePolicy:
    return TablePolicy()


@pytest.fixture(scope="session")
def winnable() -> list[int]:
    """Seeds of mazes that can be won from the first room and have three commands or more there."""
    return [s for s in range(60) if 0 in Maze(s).distance() and len(Maze(s).commands(0)) > 2]


__all__ = ["GAMES", "make_task", "patches_for"]
