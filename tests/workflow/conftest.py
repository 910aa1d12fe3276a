"""One finished run of preset smoke, shared by all tests that look at its results."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.workplace import Workplace


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Preset smoke, run to the end once for all tests; ``modules/`` says which modules its processes loaded."""
    place = Workplace(tmp_path_factory.mktemp("smoke"), str(tmp_path_factory.mktemp("store")))
    place.path("modules").mkdir()
    place.smoke(PYTHONPATH=str(Path(__file__).parent / "trace"), TRACE_MODULES=str(place.path("modules")))
    return place
