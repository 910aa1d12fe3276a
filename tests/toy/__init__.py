"""A world that another package brings: what an installation would put on the path."""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent


def bring(directory: Path) -> Path:
    """Put the distribution ``corridor`` into ``directory``, which a test then puts on the path."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "corridor.py", directory)
    about = directory / "corridor-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: corridor\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[teachable.worlds]\ncorridor = corridor:WORLD\n")
    return directory
