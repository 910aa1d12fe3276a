"""The formats of supervision, each stated in one TOML file of this directory: what the teacher's advice looks like.

A file gives the format's place in the order (which breaks ties of the route), how its patch is worded for a small
student (``compact``) and for a chat model (``full``), and its colour and marker in the figures. Runs, conditions,
columns, figures and tables follow from it.

``template`` lists, by verbosity, the parts of the patch: fixed text, ``<action>`` (a command of the advice, never cut)
and ``{free text}`` (the teacher's words, cut where they are long). ``untried`` replaces it where the bad action is not
what the student did.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

from teachable.errors import ConfigError

Template = tuple[str, ...]
VERBOSITIES = {"compact", "full"}


@dataclass(frozen=True, slots=True)
class Format:
    """One way to show a student what the teacher knows."""

    name: str
    order: int
    shows_patch: bool  # in the prompt of the supervised example; else it stands on the plain prompt
    names_action: bool  # whether the patch may name the teacher's command
    colour: str
    marker: str  # of Matplotlib
    template: Mapping[str, Template]  # by verbosity
    untried: Mapping[str, Template] = field(default_factory=dict)

    def worded(self, verbosity: str, *, tried: bool) -> Template:
        """The parts of the patch; ``tried``: whether the advice's bad action is what the student did."""
        return self.template[verbosity] if tried else self.untried.get(verbosity, self.template[verbosity])


def _read(file: Traversable) -> Format:
    raw = tomllib.loads(file.read_text("utf-8"))
    for key in ("template", "untried"):
        if key in raw:
            raw[key] = {verbosity: tuple(parts) for verbosity, parts in raw[key].items()}
    try:
        made = Format(name=file.name.removesuffix(".toml"), **raw)
    except TypeError as problem:
        raise ConfigError(f"{file}: {str(problem).replace('Format.__init__() ', '')}; see {__name__}.") from None
    if set(made.template) != VERBOSITIES or not set(made.untried) <= VERBOSITIES:
        raise ConfigError(f"{file}: [template] needs {' and '.join(sorted(VERBOSITIES))}, [untried] may have either.")
    return made


def _formats() -> dict[str, Format]:
    found = (_read(file) for file in files(__name__).iterdir() if file.name.endswith(".toml"))
    return {made.name: made for made in sorted(found, key=lambda made: (made.order, made.name))}


FORMATS = _formats()  # by name, in their order
