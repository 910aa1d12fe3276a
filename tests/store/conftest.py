from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from teachable.artifacts import Recipe, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    def make(number: int = 0, **changes: Any) -> Recipe:
        fields = {
            "stage": "toy",
            "code": "c" * 64,
            "params": {"number": number},
            "inputs": {"text": ["a" * 64]},
            "versions": {"numpy": "2.0"},
            "outputs": ("out",),
        }
        return Recipe(**{**fields, **changes})

    return make
