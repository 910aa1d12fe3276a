"""The command line of a stage, written: what a rule's ``shell:`` says, and where its log and its timing go.

:mod:`teachable.artifacts.commandline` reads it. A word is quoted for the shell, unless it is a :class:`Placeholder`,
which Snakemake fills in and quotes by itself.
"""

from __future__ import annotations

import json
import operator
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachable.artifacts.catalogue import RESULTS
from teachable.artifacts.commandline import PROGRAM, THEN
from teachable.config import Config
from teachable.config import operational as operational_knobs
from teachable.stages import STAGES


class Placeholder(str):
    """Text that Snakemake replaces, e.g. ``{input.games}``."""

    __slots__ = ()


Paths = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Line:
    """One stage's part of a command line; ``str`` gives its words."""

    stage: str
    inputs: Mapping[str, Paths]
    outputs: Mapping[str, str]
    params: str  # JSON, or a placeholder
    operational: str = ""  # parameters that say how it works, likewise; empty: the stage has none

    @classmethod
    def of_rule(cls, stage: str, inputs: Iterable[str] | None = None, *, without: Iterable[str] = ()) -> Line:
        """The line of a rule whose inputs and outputs have the stage's names for them and whose parameters are
        ``params.settings``. Operational ones come from ``OPERATIONAL`` (:func:`operational_parameters`), which the
        rules define. ``inputs``: names in place of the declared ones, for a stage that takes any; ``without``: declared
        ones that the rule has not."""
        declared = STAGES[stage]
        left_out = set(without)
        named = [name for name in (declared.input_names if inputs is None else inputs) if name not in left_out]
        return cls(
            stage,
            {name: Placeholder(f"{{input.{name}}}") for name in named},
            {name: Placeholder(f"{{output.{name}}}") for name in declared.outputs},
            Placeholder("{params.settings:q}"),
            Placeholder(f"{{OPERATIONAL[{stage}]:q}}") if operational_knobs(declared.params) else "",
        )

    def __str__(self) -> str:
        words = [self.stage]
        words += ["--in", *_assignments(self.inputs)] if self.inputs else []
        words += ["--out", *_assignments(self.outputs), "--params", _quoted(self.params)]
        words += ["--operational", _quoted(self.operational)] if self.operational else []
        return " ".join(words)


def joined(lines: Iterable[Line]) -> str:
    """The words of stages that one process runs one after the other."""
    return f" {THEN} ".join(map(str, lines))


def shell_line(words: Line | Placeholder) -> str:
    """The command of a rule; what its stages say goes into its log."""
    return f"{PROGRAM} {words} > {{log}} 2>&1"


def parameters(config: Config, stage: str, /, **own: Any) -> str:
    """The parameters of a stage as canonical JSON: the sections of the configuration that it uses, and the rule's own.

    Raises pydantic's ValidationError when they are not what the stage declares.
    """
    declared = STAGES[stage]
    knobs = {name: operator.attrgetter(path)(config) for name, path in declared.knobs.items()}
    made = declared.params(**{**knobs, **own})
    return json.dumps(made.model_dump(mode="json", exclude=operational_knobs(declared.params)), sort_keys=True)


def recorded(config: Config) -> dict[str, Any]:
    """The configuration as results are made with it: without operational knobs, the resources of jobs, what is asked
    before them and where one may look meanwhile."""
    hows: dict[str, Any] = {**operational_knobs(type(config)), "resources": True, "ask_above": True, "monitoring": True}
    return config.model_dump(mode="json", exclude=hows)


def operational_parameters(config: Config) -> dict[str, str]:
    """For every stage that has any: how it is to work, as JSON. No part of what a rule depends on."""
    found = {}
    for name, stage in STAGES.items():
        values = {
            parameter: operator.attrgetter(stage.knobs[parameter])(config).model_dump(mode="json", include=keys)
            for parameter, keys in operational_knobs(stage.params).items()
        }
        if values:
            found[name] = json.dumps(values, sort_keys=True)
    return found


def inputs_of(stage: str, paths: Mapping[str, Paths], **own: Paths) -> dict[str, Paths]:
    """Where a rule finds the inputs of a stage: as ``own`` says, else in ``paths`` (by the name of the result), else
    where the result lies as a whole. One that may be left out is, unless ``own`` has it."""
    declared = STAGES[stage]
    found = {}
    for slot in declared.inputs:
        name = slot.rstrip("*?")
        if name in own:
            found[name] = own[name]
        elif not slot.endswith("?"):
            result = declared.reads[name]
            found[name] = paths.get(name) or paths.get(result.name) or f"{RESULTS}/{result.whole}"
    return found


def outputs_of(stage: str) -> dict[str, str]:
    """Where a rule puts what a stage makes, wildcards and all."""
    return {name: f"{RESULTS}/{artifact.path}" for name, artifact in STAGES[stage].outputs.items()}


def log_of(place: str) -> str:
    """Where the log of the job at ``place`` (phase/rule, or phase/rule/{wildcard}) goes."""
    return f"logs/{place}.log"


def timing_of(place: str) -> str:
    """Where Snakemake writes how long the job at ``place`` took: one directory a phase, which the report reads."""
    phase, _, rest = place.partition("/")
    return f"results/benchmarks/{phase}/{rest.replace('/', '-')}.tsv"


def _assignments(paths: Mapping[str, Paths]) -> list[str]:
    return [
        f"{name}={path}" if isinstance(path, Placeholder) else shlex.quote(f"{name}={path}")
        for name, found in paths.items()
        for path in ([found] if isinstance(found, str) else found)
    ]


def _quoted(text: str) -> str:
    return text if isinstance(text, Placeholder) else shlex.quote(text)
