from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from teachable.worlds import registry

from .study import Study, make_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """The small study, made once (some 15 CPU-seconds), whose directory is the working directory meanwhile."""
    before, path = os.getcwd(), list(sys.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEACHABLE_STORE", "off")
        yield make_study(tmp_path_factory.mktemp("study"))
    os.chdir(before)
    sys.path[:] = path
    registry._places.cache_clear()
