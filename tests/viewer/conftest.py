"""A viewer of 100,000 snapshots, made once: the index of all, and the first chunk, one in the middle and the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from teachable.viewer import CHUNK, Sources, files

from .synthetic import sources

MANY = 100_000


@pytest.fixture(scope="session")
def many() -> Sources:
    return sources(MANY)


@pytest.fixture(scope="session")
def large(many: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("large")
    (made / "data").mkdir()
    chunks = (0, MANY // CHUNK // 2, MANY // CHUNK - 1)
    for name, text in files(many, preset="toy", verbosity="compact", only=chunks):
        (made / name).write_text(text, encoding="utf-8")
    return made
