"""Made-up inputs, built once: a full-sized set and one with 30 snapshots."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from .frames import frames


@cache
def made(snapshots: int) -> dict[str, Any]:
    """Every input from so many snapshots; not to be changed."""
    return frames(snapshots)


@pytest.fixture(scope="session")
def data() -> dict[str, Any]:
    from teachable.paper.criteria import criteria

    return {**made(360), "criteria": criteria(made(360))}


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    from teachable.paper.criteria import criteria

    return {**made(30), "criteria": criteria(made(30))}
