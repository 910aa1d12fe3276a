"""Which preset made the results of a directory: a bare command goes on with it, and no other writes over them."""

from __future__ import annotations

import os
from pathlib import Path

from teachable.errors import ConfigError


def kept_preset(path: Path) -> str | None:
    """The preset named in the file at ``path``; None where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def keep_preset(path: Path, preset: str) -> None:
    """Write ``preset`` into the file at ``path``. Raises :class:`ConfigError` where another one stands there."""
    kept = kept_preset(path)
    if kept not in (None, preset):
        raise ConfigError(
            f"{path}: what stands in {path.parent}/ was made with preset {kept!r}, and preset {preset!r} would write "
            "over it. To keep both, give the new run a place of its own (--directory DIR), or rename results, figures "
            f"and tables first. To replace it, delete {path}; what the store holds comes back at once."
        )
    if kept:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(f"{preset}\n", encoding="utf-8")
    beside.replace(path)
