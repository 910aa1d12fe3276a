"""Which snapshots to train on at a fixed budget: one method a module in ``methods``, all behind one interface.

A method is added by one module there, which declares itself (``ABOUT``) and has ``choose(pool) -> Choice``. This file
imports nothing heavy: the configuration and the plan ask it which methods there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from teachable.declared import modules
from teachable.errors import TeachableError


@dataclass(frozen=True, slots=True)
class Method:
    """A selection method as its module declares it.

    ``predicted``: it needs the predictor; ``source``: whose failures it chooses from, the student's or the expert's
    (setup B).
    """

    name: str
    predicted: bool = False
    source: str = "student"

    @property
    def module(self) -> str:
        return f"{__name__}.methods.{self.name}"


def _methods() -> dict[str, Method]:
    folder = Path(__file__).parent / "methods"
    found = []
    for name, about in modules(folder).items():
        try:
            found.append(Method(name, **about))
        except TypeError as error:
            raise TeachableError(f"{folder / name}.py: ABOUT: {error}.") from None
    return {method.name: method for method in found}


METHODS: dict[str, Method] = _methods()
