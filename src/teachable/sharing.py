"""Directories that users share: what is made in one is open to whom the directory itself is, whatever the umask."""

from __future__ import annotations

import contextlib
from pathlib import Path


def make_directory(directory: Path, root: Path) -> None:
    """Make ``directory``, which is ``root`` or below it, with the modes of ``root``; nothing where it is there."""
    missing = [path for path in (directory, *directory.parents) if path.is_relative_to(root)]
    for path in reversed(missing):
        try:
            path.mkdir(parents=path == root)
        except FileExistsError:
            continue
        if path != root:
            _open(path, root, 0o2777)


def share(file: Path, root: Path) -> None:
    """Open ``file`` to whom ``root`` is open, for reading; to write in it stays its owner's."""
    _open(file, root, 0o644)


def _open(path: Path, root: Path, mask: int) -> None:
    with contextlib.suppress(OSError):  # a file system without modes
        path.chmod(root.stat().st_mode & mask)
