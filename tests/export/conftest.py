from __future__ import annotations

from pathlib import Path

import pytest

from .made import study


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return study(tmp_path / "results")
