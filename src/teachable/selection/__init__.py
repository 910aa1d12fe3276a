"""Which snapshots to train on at a fixed budget: one method a module in ``methods``, all behind one interface.

A method is added by one module there, which declares itself (``ABOUT``) and has ``choose(pool) -> Choice``. This file
imports nothing heavy: the plan asks it which methods there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from teachable.artifacts.declared import modules
from teachable.errors import ConfigError, TeachableError


@dataclass(frozen=True, slots=True)
class Method:
    """A selection method as its module declares it.

    ``predicted``: it needs the predictor; ``gradients``: it needs the student's gradients (stage ``influence``), which
    are computed only if such a method is asked for; ``source``: whose failures it chooses from, the student's or the
    expert's (setup B).
    """

    name: str
    predicted: bool = False
    gradients: bool = False
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


def check_known(names: Sequence[str]) -> None:
    """Raises ConfigError, with the nearest method there is, for a name in ``selection.methods`` that is none."""
    for name in names:
        if name not in METHODS:
            close = get_close_matches(name, METHODS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(METHODS)}."
            raise ConfigError(f"selection.methods: {name!r} is no selection method; {hint}")
