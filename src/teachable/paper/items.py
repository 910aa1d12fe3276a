"""The module of a figure or table, by its id.

The fingerprint of a stage names the one item that the stage draws; what could be loaded here would add all the others,
and an edit to one figure would redraw every one.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from teachable.paper.inputs import PaperError

__imports__ = ()  # for the fingerprint: the stage declares the item


def module(kind: str, item: str) -> ModuleType:
    """The module of ``item``, below the package ``kind`` (figures or tables); PaperError when there is none."""
    path = f"{__package__}.{kind}.{item}"
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        raise PaperError(f"There is no item {item!r} in {kind}.") from None
