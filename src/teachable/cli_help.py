"""``teachable STAGE --help``: what a stage reads, writes and is configured by, and a line that it would take."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from teachable.artifacts.commandline import PROGRAM
from teachable.artifacts.stage import Stage
from teachable.config import Config
from teachable.config import operational as operational_knobs
from teachable.config.reference import type_name
from teachable.workflow.configuration import shipped
from teachable.workflow.lines import Line, inputs_of, outputs_of, parameters

_MARKS = {"*": "any number of paths", "?": "may be left out"}
# What only rules know, as preset laptop has it: results that lie in parts, wildcards of paths, and parameters.
_PATHS = {
    "tasks": "results/phase0/tasks_train.parquet",
    "games": "results/world/train/games/000",
    "test_tasks": "results/phase0/tasks_test.parquet",
    "test_games": "results/world/test/games/000",
}
_WILDCARDS = {"split": "train", "shard": "000", "phase": "phase2", "run": "Q1_demo", "model": "Q1_demo/1"}
_OWN: Mapping[str, Any] = {
    "items": [["easy", 0], ["easy", 1]],
    "split": "train",
    "schema_name": "EPISODES",
    "student_layout": "compact",
    "layout": "compact",
    "shard": 0,
    "method": "entropy",
    "run": "Q1_demo",
    "model": "Q1_demo",
    "preset": "laptop",
    "item": "h1_1",
    "world_name": "textworld",
}
_BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.0, "text": "NAME", "mapping": {}}


def stage_help(stage: Stage) -> str:
    """The whole text. Types and values of parameters are those of preset laptop in the file that is shipped."""
    config = shipped()
    inputs = [f"  {name.rstrip('*?') or 'NAME':24s}{_MARKS.get(name[-1], 'one path')}" for name in stage.inputs]
    knobs = operational_knobs(stage.params)
    found, how = _fields(stage, config, knobs)
    return "\n".join(
        [
            f"{PROGRAM} {stage.name}: {stage.doc}",
            "",
            f"{PROGRAM} {stage.name} --in NAME=PATH ... --out NAME=PATH ... --params JSON"
            + (" --operational JSON" if knobs else ""),
            *(["", "inputs:", *inputs] if inputs else []),
            "",
            "outputs:",
            *(f"  {name}" for name in stage.outputs),
            *(["", "parameters, as one JSON object: type, and value in preset laptop", *found] if found else []),
            *(["", "of these operational, as another JSON object:", *how] if how else []),
            "",
            "for example:",
            "  " + re.sub(r" (?=--(?:in|out|params|operational) )", " \\\\\n    ", example(stage, config)),
            "",
            "docs/configuration.md says what each parameter means; `snakemake --dry-run --printshellcmds FILE` prints",
            "the line that makes FILE.",
        ]
    )


def _fields(stage: Stage, config: Config, operational: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """A line for every parameter, those of a section by themselves; the operational ones apart."""
    found: list[str] = []
    how: list[str] = []
    for name, field in stage.params.model_fields.items():
        model = field.annotation
        if not isinstance(model, type) or not issubclass(model, BaseModel):
            known = name in stage.knobs
            value = _short(operator.attrgetter(stage.knobs[name])(config)) if known else "given by the rule"
            found.append(f"  {name:32s}{type_name(model):24s}{value}")
            continue
        section = operator.attrgetter(stage.knobs[name])(config) if name in stage.knobs else None
        for key, knob in model.model_fields.items():
            value = _short(getattr(section, key)) if section is not None else "given by the rule"
            line = f"  {f'{name}.{key}':32s}{type_name(knob.annotation).replace('`', ''):24s} {value}"
            inner = operational.get(name, {}).get(key)
            (how if inner is True else found).append(line)
            if isinstance(inner, Mapping):  # a section within the section
                how += [f"  {name}.{key}.{deeper}" for deeper in sorted(inner)]
    return found, how


def _short(value: Any) -> str:
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    try:
        text = json.dumps(plain)
    except TypeError:  # models within lists and mappings
        text = str(plain)
    return text if len(text) <= 60 else text[:57] + "..."


def example(stage: Stage, config: Config) -> str:
    """One whole line of the stage as preset laptop would have it: paths where results lie, settings of the preset."""
    own = {name: _own(name, field.annotation) for name, field in stage.params.model_fields.items()}
    own = {name: value for name, value in own.items() if name not in stage.knobs}
    if "*" in stage.inputs:
        inputs: dict[str, Any] = {"labeled": "results/phase1/labeled_snapshots.parquet"}
    else:
        unknown = {name: f"results/{name}" for name in stage.input_names if name not in stage.reads}
        inputs = dict(inputs_of(stage.name, _PATHS, **unknown))
    line = Line(
        stage.name,
        {name: _filled(path) for name, path in inputs.items() if name},
        {name: _output(stage, name, path) for name, path in outputs_of(stage.name).items()},
        parameters(config, stage.name, **own),
        _operational(stage, config),
    )
    return f"{PROGRAM} {line}"


def _operational(stage: Stage, config: Config) -> str:
    values = {
        name: operator.attrgetter(stage.knobs[name])(config).model_dump(mode="json", include=keys)
        for name, keys in operational_knobs(stage.params).items()
    }
    return json.dumps(values, sort_keys=True) if values else ""


def _output(stage: Stage, name: str, path: str) -> str:
    """Where an output goes; figures, tables and what is put together go where their rule says."""
    if stage.outputs[name].path:
        return str(_filled(path))
    return f"{stage.name}s/{_OWN['item']}.{name}" if "item" in stage.params.model_fields else f"results/{name}"


def _filled(path: Any) -> Any:
    if isinstance(path, str):
        return re.sub(r"\{(\w+)\}", lambda found: _WILDCARDS.get(found[1], found[1]), path)
    return [_filled(one) for one in path]


def _own(name: str, annotation: Any) -> Any:
    if name in _OWN:
        return _OWN[name]
    kind = type_name(annotation)
    if "null" in kind:
        return None
    return [] if kind.startswith("list") else _BY_TYPE.get(kind, "NAME")
