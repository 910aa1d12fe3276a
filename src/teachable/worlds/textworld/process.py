"""The environment of helper processes."""

from __future__ import annotations

import os
from pathlib import Path


def environment(**extra: str) -> dict[str, str]:
    """This process's environment and ``extra``, such that Python finds this very package and texts are UTF-8."""
    package = str(Path(__file__).parents[3])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": os.pathsep.join(paths), **extra}
