"""The worlds there are, and the parts of each, found by name.

A world is one object, a :class:`WorldEntry`: plain data that says which tasks there are, which options, and in which
modules the rest lives. Built-in worlds are packages ``teachable.worlds.<name>`` with an ``entry`` module; any other
distribution brings one by an entry point of the group ``teachable.worlds``:

    [project.entry-points."teachable.worlds"]
    corridor = "corridor:WORLD"

An entry names its parts (``module:attribute``), and a part is imported when it is asked for. So looking a world up
loads no engine, and the fingerprint of a stage takes in the parts that the stage runs and no other
(:meth:`WorldEntry.modules`): there is no string here that names a module, or every stage would have every world's code.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.worlds.base import World, WorldError
from teachable.worlds.words import Explain, Words

if TYPE_CHECKING:
    from pydantic import BaseModel

__imports__ = ("teachable.worlds.words",)  # for the fingerprint: a stage adds the parts of its world

GROUP = "teachable.worlds"
SPLITS = ("warmstart", "train", "test")
_COMMON = f"{__package__}.words:"  # the parts of a world that says nothing of its own


class OptionError(WorldError):
    """An option, a family or a skill that a world does not have; ``path`` says where it was asked for."""

    def __init__(self, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True, slots=True)
class WorldEntry:
    """What the workflow knows of a world before anything runs. Import nothing heavy beside it.

    ``play``, ``generator``, ``words`` and ``reasons`` are ``module:attribute``: a class called with the fields of
    ``options`` that makes a :class:`~teachable.worlds.base.World`; a class called with ``max_expert_steps`` and the
    fields of ``making`` that makes a :class:`~teachable.generation.Generator`; a
    :class:`~teachable.worlds.words.Words`; an :class:`~teachable.worlds.words.Explain`. ``options`` and ``making`` are
    closed pydantic models with a default for every field, None where there are none.
    """

    name: str
    families: Mapping[str, str]  # of tasks: name -> what must be done
    play: str
    generator: str
    words: str = _COMMON + "WORDS"
    reasons: str = _COMMON + "explain"
    options: type[BaseModel] | None = None  # world.options
    making: type[BaseModel] | None = None  # tasks.options
    skills: tuple[str, ...] = ()  # that builtin.gaps may name
    libraries: tuple[str, ...] = field(default=())  # distributions whose versions the report shows
    ready: str = ""  # module:function called with the name and each library: raises WorldError, with the remedy

    def modules(self, parts: Iterable[str]) -> tuple[str, ...]:
        """The modules that hold the parts called play, generator, words, reasons."""
        return tuple(str(getattr(self, part)).partition(":")[0] for part in parts)

    def part(self, name: str) -> Any:
        """One part, imported now. Raises WorldError when it is not where the entry says."""
        path = str(getattr(self, name))
        module, _, attribute = path.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise WorldError(f"world {self.name!r}: its {name} should be {path}, which fails: {error}.") from error

    def check_ready(self) -> None:
        """Raise WorldError, with the remedy, where what the world needs is not installed."""
        if self.ready:
            for library in self.libraries:
                self.part("ready")(self.name, library)

    def check_tasks(self, path: str, counts: Iterable[str]) -> None:
        """Raise OptionError for a family that there is not."""
        _known(path, "family", counts, self.families, self.name)

    def check_skills(self, path: str, named: Iterable[str]) -> None:
        """Raise OptionError for a skill that there is not."""
        _known(path, "skill", named, self.skills, self.name)

    def resolve(self, path: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options ``given`` (``kind``: options or making), checked, with defaults filled in, as JSON has them.

        Raises OptionError with path, value and remedy for an option that is unknown or ill-typed.
        """
        return self._validated(path, kind, given).model_dump(mode="json") if getattr(self, kind) or given else {}

    def _validated(self, path: str, kind: str, given: Mapping[str, Any]) -> BaseModel:
        from pydantic import ValidationError

        model: type[BaseModel] | None = getattr(self, kind)
        _known(path, "option", given, model.model_fields if model else (), self.name)
        assert model is not None
        try:
            return model.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (path, *first["loc"])))
            message = first["msg"].removeprefix("Value error, ")
            raise OptionError(where, f"{message} (got {first.get('input')!r}).") from error

    def make(self, part: str, kind: str, given: Mapping[str, Any], **fixed: Any) -> Any:
        """The part ``play`` or ``generator``, called with ``fixed`` and with its checked options."""
        options = dict(self._validated(part, kind, given)) if getattr(self, kind) or given else {}
        factory = self.part(part)
        offered = inspect.signature(factory).parameters
        if unknown := sorted({*fixed, *options} - set(offered)):
            raise WorldError(
                f"world {self.name!r}: {part} takes no {', '.join(unknown)}; it takes: {', '.join(offered)}."
            )
        return factory(**fixed, **options)


def get_entry(name: str) -> WorldEntry:
    """The world called ``name``. Raises :class:`WorldError` when there is none, two, or what is found is none."""
    found = _places()
    if name not in found:
        near = difflib.get_close_matches(name, list(found), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise WorldError(
            f"there is no world called {name!r}; {hint}known worlds: {', '.join(sorted(found))}. Another one comes "
            f"with a package that has an entry point of that name in the group {GROUP!r}."
        )
    first, *others = sorted(found[name])
    if others:
        raise WorldError(f"there are two worlds called {name!r}, {first} and {others[0]}: uninstall one of them.")
    try:
        entry = EntryPoint(name, first, GROUP).load()
    except (ImportError, AttributeError) as error:
        raise WorldError(f"world {name!r}: its entry point is {first}, which fails: {error}.") from error
    if not isinstance(entry, WorldEntry) or entry.name != name:
        raise WorldError(f"world {name!r}: its entry point {first} must be a WorldEntry called {name!r}.")
    return entry


def get_world(name: str, **options: Any) -> World:
    """The world called ``name`` with its own keyword options.

    Raises :class:`WorldError` for an unknown name or option.
    """
    world: World = get_entry(name).make("play", "options", options)
    return world


def get_words(name: str) -> Words:
    """The vocabulary of the world called ``name``."""
    words: Words = get_entry(name).part("words")
    return words


def get_reasons(name: str) -> Explain:
    """How the world called ``name`` gives reasons."""
    explain: Explain = get_entry(name).part("reasons")
    return explain


def built_in() -> list[WorldEntry]:
    """The worlds that come with the library, by name."""
    return [get_entry(file.parent.name) for file in sorted(Path(__file__).parent.glob("*/entry.py"))]


@cache
def _places() -> dict[str, set[str]]:
    """Every world's name, and where its entry is; a built-in one needs no installation to be found."""
    found: dict[str, set[str]] = {}
    for file in Path(__file__).parent.glob("*/entry.py"):
        found[file.parent.name] = {f"{__package__}.{file.parent.name}.entry:WORLD"}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, set()).add(point.value.replace(" ", ""))
    return found


def _known(path: str, what: str, named: Iterable[str], known: Iterable[str], world: str) -> None:
    for name in named:
        if name not in known:
            near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}? " if near else ""
            has = f"it has: {', '.join(known)}" if list(known) else "it has none"
            raise OptionError(f"{path}.{name}", f"world {world!r} has no such {what}; {hint}{has}.")
