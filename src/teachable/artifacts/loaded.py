"""What a process really loaded, against what the fingerprint of its stages knows.

The fingerprint reads code without running it (:mod:`teachable.artifacts.fingerprint`), so a module or a data file that
is found by some other way can escape it. While stages run, every new module of the package (and of a world's package)
and every data file in it that is opened is noted; what no fingerprint knows is told, and such a result is not
published, because another code may have the same key. Processes that a stage starts are not watched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from teachable.artifacts import fingerprint

# What every process loads to read its line, look in the store and run a stage: no result depends on it.
_PROGRAM = (
    "teachable.cli",
    *(f"teachable.artifacts.{name}" for name in ("runner", "store", "gpus", "loaded")),
    "teachable.worlds.textworld.entry",  # says where the parts of a world are, and is none of them
)


class Watch:
    """Notes what is loaded from now on; one a process, whose stages are looked at together."""

    def __init__(self) -> None:
        self._before = set(sys.modules)
        self._opened = _opened()
        self._opened.clear()
        self._known: set[str] = set()
        self._roots: set[Path] = set()

    def unknown(self, modules: Iterable[str]) -> list[str]:
        """Modules and data files that were loaded and that neither ``modules``, nor those named before, reach."""
        modules = tuple(modules)
        self._known |= _reach(modules) | _reach(_PROGRAM)
        self._roots |= {fingerprint.package_root(name) for name in (*modules, _PROGRAM[0])}
        tops = {root.stem for root in self._roots}
        loaded = {name for name in set(sys.modules) - self._before if name.partition(".")[0] in tops}
        opened = {
            path.relative_to(root.parent).as_posix()
            for path in map(Path, tuple(self._opened))
            for root in self._roots
            if path.is_relative_to(root) and fingerprint.is_data(path)
        }
        return sorted((loaded | opened) - self._known)


@cache
def _reach(modules: tuple[str, ...]) -> set[str]:
    return fingerprint.closure(*modules) | set(fingerprint.parts(*modules))


@cache
def _opened() -> set[str]:
    """The files that this process opened, other than code; an audit hook, which cannot be taken off, fills it."""
    found: set[str] = set()

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and not arguments[0].endswith((".py", ".pyc")):
            found.add(arguments[0])

    sys.addaudithook(note)
    return found
