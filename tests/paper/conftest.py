"""Made-up inputs, built once: a full-sized set and one with 30 snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from .frames import frames


@pytest.fixture(scope="session")
def data() -> dict[str, Any]:
    from teachable.paper.criteria import criteria

    made = frames(360)
    return {**made, "criteria": criteria(made)}


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    from teachable.paper.criteria import criteria

    made = frames(30)
    return {**made, "criteria": criteria(made)}
