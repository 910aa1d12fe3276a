"""The module of a figure or table, by its id.

Apart from everything else, and without a string that names a module: the fingerprint of a stage names the one item that
the stage draws. A pattern here would add all other items, and an edit to one figure would redraw every one.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from teachable.paper.inputs import PaperError


def module(kind: str, item: str) -> ModuleType:
    """The module of ``item``, below the package ``kind`` (figures or tables); PaperError when there is none."""
    path = ".".join((str(__package__), kind, item))
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        raise PaperError("There is no item " + repr(item) + " in " + kind + ".") from None
