"""A stage as its module declares it: what it reads, writes and is configured by.

A stage is one module of ``teachable.stages``, read here without running it. Its literal ``ABOUT`` has

============= ==========================================================================================
``about``     what it does, in a few words
``inputs``    names of results (:mod:`teachable.artifacts.catalogue`); ``episodes*`` any number of them (of tables: put
              together), ``adapter?`` none or one, ``base=model_episodes`` one of another name, ``*`` whatever the rule
              has
``outputs``   name -> (path, schema, what it holds)
``params``    knobs of the configuration: ``seed``, a section, ``training.replay``, or ``trainings=training.seeds``, one
              that is called otherwise here
``own``       parameters that only the rule knows, name -> ``int``, ``float``, ``str``, ``list`` or ``dict``; ``int?``
              may be null
``world``     parts of the world that it runs: ``play``, ``generator``, ``words``, ``reasons``
``student``   true where it runs a model, on a GPU where there is one; or the input with which it does
``beside``    function of its parameters that says, in JSON values, what else it depends on: files that are no inputs,
              the machine
``follows``   modules that it reaches by a parameter: ``teachable.paper.figures.{item}``, or ``....figures.*`` for all
============= ==========================================================================================

and its function ``run`` asks by name for what it needs: an input gives its table, JSON value or path (a list of paths
where there may be several), a parameter its value, ``out`` the paths (by name) of outputs that the stage writes by
itself, ``inputs`` all paths, ``data`` all values. It returns its one table or JSON value, or a mapping or object with
one for every other output.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from teachable.artifacts import catalogue
from teachable.artifacts.catalogue import Artifact, outputs
from teachable.artifacts.declared import modules
from teachable.config import Config
from teachable.errors import TeachableError

OWN = {"int": int, "float": float, "str": str, "list": list[Any], "dict": dict[str, Any]}
KEYS = {"about", "inputs", "outputs", "params", "own", "world", "student", "beside", "follows"}


class Params(BaseModel):
    """Parameters of a stage, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Stage:
    """One command line: ``teachable <name> --in NAME=PATH ... --out NAME=PATH ... --params JSON``."""

    name: str
    module: str  # holds run
    doc: str
    inputs: tuple[str, ...]  # "name" one file or directory, "name*" any number, "name?" none or one, "*" anything
    outputs: Mapping[str, Artifact]
    model: Callable[[], type[BaseModel]]  # of its parameters; made when it is asked for
    knobs: Mapping[str, str] = field(default_factory=dict)  # parameter -> where it stands in the configuration
    reads: Mapping[str, Artifact] = field(default_factory=dict)  # input -> the result that it is, where it is one
    world: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    loads_student: bool | str = False
    beside: str = ""  # package.module.function

    @property
    def params(self) -> type[BaseModel]:
        """What the parameters must be."""
        return self.model()

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(name.rstrip("*?") for name in self.inputs)

    def computes(self, inputs: Collection[str]) -> bool:
        """Whether it runs a model where it is given these inputs."""
        return self.loads_student in inputs if isinstance(self.loads_student, str) else self.loads_student

    def look_beside(self, params: BaseModel) -> Mapping[str, Any]:
        """What this stage depends on beside its inputs and parameters, where it runs; whatever its function raises."""
        if not self.beside:
            return {}
        module, _, name = self.beside.rpartition(".")
        found: Mapping[str, Any] = getattr(importlib.import_module(module), name)(params)
        return found

    def modules(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The modules whose code this stage runs: its own, the tables', those that its parameters name, and those of
        the parts of the world that it uses."""
        found = [self.module, "teachable.tables"]
        for pattern in self.follows:
            found += _below(pattern[:-2]) if pattern.endswith(".*") else [pattern.format_map(params)]
        name = params.get("world_name") or (params.get("world") or {}).get("name")
        if self.world and name is not None:
            from teachable.worlds.registry import get_entry

            found += get_entry(name).modules(self.world)
        return tuple(found)


def _below(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return [f"{package}.{name}" for name in modules(Path(spec.submodule_search_locations[0]))]


def stage(module: str, about: Mapping[str, Any], known: Mapping[str, Artifact]) -> Stage:
    """The stage that ``module`` declares with ``about``, where the results ``known`` are made. Raises TeachableError,
    naming what is wrong with it."""
    name = module.rpartition(".")[2].replace("_", "-")
    unknown = sorted(set(about) - KEYS)
    if unknown:
        raise TeachableError(f"{module}: ABOUT: {unknown[0]!r} is none of {', '.join(sorted(KEYS))}.")
    try:
        inputs = [_input(text) for text in about.get("inputs", "").split()]
        knobs = dict(_knob(text) for text in about.get("params", "").split())
        own = {key: _own(kind) for key, kind in about.get("own", {}).items()}
        return Stage(
            name,
            module,
            about["about"],
            tuple(slot + mark for slot, mark, _ in inputs),
            {artifact.name: artifact for artifact in outputs(name, about)},
            cache(lambda: _model(name, knobs, own)),
            knobs,
            known
            if ("", "*", "") in inputs
            else {slot: known[result] for slot, _, result in inputs if result in known},
            tuple(about.get("world", "").split()),
            tuple(about.get("follows", "").split()),
            about.get("student", False),
            about.get("beside", ""),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise TeachableError(f"{module}: ABOUT: {type(error).__name__}: {error}.") from None


def _model(name: str, knobs: Mapping[str, str], own: Mapping[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {key: (_annotation(path), ...) for key, path in knobs.items()}
    fields |= {key: (kind, ...) for key, kind in own.items()}
    return create_model(f"Params of {name}", __base__=Params, **fields)


def _input(text: str) -> tuple[str, str, str]:
    """Slot, mark and result of ``base=model_episodes*``."""
    bare = text.rstrip("*?")
    slot, _, result = bare.partition("=")
    return slot, text[len(bare) :], result or slot


def _knob(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    return (name, path) if path else (text.rpartition(".")[2], text)


def _annotation(path: str) -> Any:
    model: type[BaseModel] = Config
    *sections, last = path.split(".")
    for section in sections:
        model = model.model_fields[section].annotation  # type: ignore[assignment]
    return model.model_fields[last].annotation


def _own(kind: str) -> Any:
    return OWN[kind[:-1]] | None if kind.endswith("?") else OWN[kind]


def read(package: str, folder: Path) -> dict[str, Stage]:
    """The stages of a package, by name, each behind those whose results it reads."""
    known = catalogue.read(folder)
    declared = (stage(f"{package}.{name}", about, known) for name, about in modules(folder).items())
    found = {one.name: one for one in declared}
    before = {one.name: {result.stage for result in one.reads.values()} for one in found.values()}
    last = {name for name, one in found.items() if "*" in one.inputs}
    for name in last:  # they read whatever there is
        before[name] = {other for other, read in before.items() if other not in last and not read & last}
    return {name: found[name] for name in TopologicalSorter(before).static_order()}
