"""Tools of the system that some tests want: without one they are skipped, and where CI has installed all, they fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """End the test, with ``reason``, a sentence: what is missing, and how to get it. ``TEACHABLE_CI_TOOLS=1`` says that
    all tools are there, so that one that is not is a failure."""
    if os.environ.get("TEACHABLE_CI_TOOLS") == "1":
        pytest.fail(f"{reason} TEACHABLE_CI_TOOLS is 1, so it should be here.", pytrace=False)
    pytest.skip(reason)
