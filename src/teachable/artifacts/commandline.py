"""The command line of a stage, read the same way by the program, by the store and by the executor of the cluster.

``teachable <stage> --in NAME=PATH [NAME=PATH ...] --out NAME=PATH [NAME=PATH ...] --params '<JSON object>'``

Several stages in one process, which loads its libraries once, are parted by ``--then``:
``teachable train ... --then train ...``. Each has a recipe of its own.

An input may have several paths, in an order that counts: its name is repeated, or the further paths follow
the first without a name, as Snakemake writes a list. ``--operational`` holds the operational parameters (the teacher's
budget, say) by section. They, ``--log`` and ``--threads`` say how to work and not what to make, so they are no
part of the recipe that the artifact store keys on. Imports no room of science.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

from pydantic import BaseModel, ValidationError

from teachable.artifacts import fingerprint
from teachable.artifacts.objects import digest as digest_of
from teachable.artifacts.recipe import Recipe
from teachable.config import operational
from teachable.errors import MissingInput, TeachableError

PROGRAM = "teachable"
THEN = "--then"
_NAMED = re.compile(r"[A-Za-z][\w-]*=")


class CommandLineError(TeachableError):
    """A stage's command line does not say what the stage needs."""


class StageLike(Protocol):
    """What this module asks of an entry of the table of stages."""

    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...  # see teachable.artifacts.stage.Stage
    @property
    def outputs(self) -> Collection[str]: ...
    @property
    def params(self) -> type[BaseModel]: ...
    @property
    def beside(self) -> str: ...
    def modules(self, params: Mapping[str, Any]) -> tuple[str, ...]: ...
    def look_beside(self, params: BaseModel) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Invocation:
    """One parsed command line. Paths are as written, relative to the working directory."""

    stage: str
    inputs: dict[str, list[Path]] = field(default_factory=dict)
    outputs: dict[str, Path] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    log: Path | None = None
    threads: int | None = None

    def recipe(
        self,
        stage: StageLike,
        digest: Callable[[Path], str] = digest_of,
        there: Callable[[Path], bool] = Path.exists,
    ) -> Recipe:
        """The recipe of this invocation; see :func:`recipe`."""
        return recipe(self, stage, digest, there)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the arguments that every stage has."""
    parser.add_argument(
        "--in",
        dest="inputs",
        metavar="NAME=PATH",
        nargs="+",
        action="extend",
        default=[],
        help="an input file or directory; a name may be given several paths",
    )
    parser.add_argument(
        "--out",
        dest="outputs",
        metavar="NAME=PATH",
        nargs="+",
        action="extend",
        default=[],
        help="where an output goes",
    )
    parser.add_argument("--params", metavar="JSON", default="{}", help="the stage's parameters as one JSON object")
    parser.add_argument("--operational", metavar="JSON", default="{}", help="its operational parameters, by section")
    parser.add_argument("--log", type=Path, metavar="PATH", help="also write the log there")
    parser.add_argument("--threads", type=int, metavar="N", help="threads the stage may use")


def invocation(stage: str, arguments: argparse.Namespace) -> Invocation:
    """The invocation that parsed ``arguments`` stand for. Raises :class:`CommandLineError`."""
    inputs: dict[str, list[Path]] = {}
    name = ""
    for text in arguments.inputs:
        if name and not _NAMED.match(text):
            inputs[name].append(Path(text))
            continue
        name, path = _assignment(text)
        inputs.setdefault(name, []).append(path)
    outputs: dict[str, Path] = {}
    for name, path in map(_assignment, arguments.outputs):
        if name in outputs:
            raise CommandLineError(f"{stage}: output {name!r} is given twice ({outputs[name]} and {path})")
        outputs[name] = path
    params = _json_object(stage, "--params", arguments.params)
    for section, knobs in _json_object(stage, "--operational", arguments.operational).items():
        values = params.get(section, {})
        if not isinstance(knobs, dict) or not isinstance(values, dict):
            raise CommandLineError(f"{stage}: --operational: {section} must be a JSON object, a section")
        params[section] = _beside(values, knobs)
    return Invocation(stage, inputs, outputs, params, arguments.log, arguments.threads)


def _beside(values: Mapping[str, Any], knobs: Mapping[str, Any]) -> dict[str, Any]:
    """A section with its operational knobs; a section within it that is null stays so."""
    whole = dict(values)
    for key, knob in knobs.items():
        there = values.get(key)
        if isinstance(there, dict) and isinstance(knob, dict):
            whole[key] = _beside(there, knob)
        elif not (isinstance(there, dict) and knob is None) and not (isinstance(knob, dict) and key in values):
            whole[key] = knob
    return whole


def _json_object(stage: str, option: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandLineError(f"{stage}: {option} is not JSON ({error}): {text[:200]}") from error
    if not isinstance(value, dict):
        raise CommandLineError(f"{stage}: {option} must be a JSON object, not {type(value).__name__}")
    return value


def parse(argv: Sequence[str]) -> Invocation:
    """Parse ``[stage, "--in", ...]``. Raises :class:`CommandLineError`; never exits."""
    if not argv or argv[0].startswith("-"):
        raise CommandLineError("a stage's command line begins with the name of the stage")
    parser = _RaisingParser(prog=f"{PROGRAM} {argv[0]}", add_help=False, allow_abbrev=False)
    add_arguments(parser)
    return invocation(argv[0], parser.parse_args(list(argv[1:])))


def parse_all(argv: Sequence[str]) -> list[Invocation]:
    """Parse the stages of a command line, at least one. Raises :class:`CommandLineError`."""
    lines: list[list[str]] = [[]]
    for word in argv:
        if word == THEN:
            lines.append([])
        else:
            lines[-1].append(word)
    return [parse(line) for line in lines]


def parse_shell(command: str, stages: Mapping[str, StageLike]) -> list[Invocation]:
    """The invocations a rule's shell command stands for; none when it is anything but stages.

    Understood: leading ``NAME=value`` assignments, the program by name or path or as ``python -m teachable``,
    and redirections of its output. A command with a pipe, a list, a substitution or a glob is left to the shell.
    """
    try:
        words = _words(command)
    except ValueError:
        return []
    while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0], re.DOTALL):
        words.pop(0)
    if len(words) > 2 and re.fullmatch(r"python[\d.]*", Path(words[0]).name) and words[1:3] == ["-m", PROGRAM]:
        words = words[2:]
    if len(words) < 2 or Path(words[0]).name != PROGRAM or words[1] not in stages:
        return []
    return parse_all(words[1:])


def check(call: Invocation, stage: StageLike) -> None:
    """Raise :class:`CommandLineError` unless the inputs and outputs are those the stage declares."""
    declared = {name.rstrip("*?"): name for name in stage.inputs if name != "*"}
    for name, paths in call.inputs.items():
        if name not in declared and "*" not in stage.inputs:
            raise CommandLineError(f"{call.stage}: unknown input {name!r}; it takes {sorted(declared) or 'none'}")
        if len(paths) > 1 and not declared.get(name, "*").endswith("*"):
            raise CommandLineError(f"{call.stage}: input {name!r} takes one path, not {len(paths)}")
    missing = [name for name, mark in declared.items() if mark[-1] not in "*?" and name not in call.inputs]
    missing += [name for name in stage.outputs if name not in call.outputs]
    if missing:
        raise CommandLineError(f"{call.stage}: no path given for {', '.join(missing)}")
    unknown = sorted(set(call.outputs) - set(stage.outputs))
    if unknown:
        raise CommandLineError(f"{call.stage}: unknown output {unknown[0]!r}; it makes {', '.join(stage.outputs)}")


def validated(call: Invocation, stage: StageLike) -> BaseModel:
    """The stage's parameters, checked and with defaults filled in. Raises :class:`CommandLineError`."""
    try:
        return stage.params.model_validate(call.params)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CommandLineError(f"{call.stage}: --params: {problems}") from error


def recipe(
    call: Invocation,
    stage: StageLike,
    digest: Callable[[Path], str] = digest_of,
    there: Callable[[Path], bool] = Path.exists,
) -> Recipe:
    """Everything the outputs depend on: code, parameters with defaults filled in and without the operational
    ones, what the stage reads beside its inputs, inputs by content, libraries.

    Every input is read and hashed, so it must exist; ``digest`` may be a store's, which remembers within a
    process. Who knows the digest of what is not ``there`` yet gives both. Raises :class:`CommandLineError` for a
    bad line and :class:`MissingInput` for an absent input.
    """
    check(call, stage)
    for name, paths in call.inputs.items():
        for path in paths:
            if not there(path):
                raise MissingInput(f"{call.stage}: input {name!r} is not there: {path}")
    checked = validated(call, stage)
    params = checked.model_dump(mode="json", exclude=operational(stage.params))
    if beside := stage.look_beside(checked):
        params["beside"] = dict(beside)
    modules = stage.modules(params)
    return Recipe(
        stage=call.stage,
        code=fingerprint.fingerprint(*modules),
        params=params,
        inputs={name: tuple(digest(path) for path in paths) for name, paths in call.inputs.items()},
        versions=fingerprint.versions(fingerprint.library_imports(*modules)),
        outputs=tuple(sorted(call.outputs)),
        notes=provenance(call, modules),
    )


def provenance(call: Invocation, modules: Sequence[str]) -> dict[str, Any]:
    """What ``explain`` wants to know later and the key does not need: where the pieces came from."""
    return {
        "modules": list(modules),
        "code": fingerprint.parts(*modules),
        "inputs": {name: [str(path) for path in paths] for name, paths in call.inputs.items()},
        "outputs": {name: str(path) for name, path in call.outputs.items()},
    }


def _assignment(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not path or not _NAMED.match(text):
        raise CommandLineError(f"expected NAME=PATH, found {text!r}")
    return name, Path(path)


_QUOTED = re.compile(r"""(?P<single>'[^']*')|(?P<double>"(?:[^"\\]|\\.)*")""", re.DOTALL)  # whichever opens first


def _words(command: str) -> list[str]:
    """The words of a simple command without its redirections. Raises ``ValueError`` when it is not simple."""
    command = command.strip().replace("\\\n", " ")
    outside_single = _QUOTED.sub(lambda found: found["double"] or "", command)
    bare = _QUOTED.sub("", command)
    if re.search(r"[$`]", outside_single) or re.search(r"[*?\[{~#!\n]", bare):
        raise ValueError("not a simple command: the shell would change its words")
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    words: list[str] = []
    tokens = iter(lexer)
    for token in tokens:
        if token in (">", ">>", "&>", "&>>", ">&"):
            if words and words[-1].isdigit():
                words.pop()  # the 2 of "2> log"
            if not next(tokens, ""):
                raise ValueError("not a simple command: nothing to redirect to")
        elif token and set(token) <= set("();<>|&"):
            raise ValueError(f"not a simple command: it has {token!r}")
        else:
            words.append(token)
    return words


class _RaisingParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandLineError(f"{self.prog}: {message}")
