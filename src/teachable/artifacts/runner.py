"""Run stages: look in the store, else read the inputs, compute, write to temporary names, rename, publish."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from teachable.artifacts import gpus
from teachable.artifacts.catalogue import Artifact
from teachable.artifacts.commandline import CommandLineError, Invocation, check, validated
from teachable.artifacts.loaded import Watch
from teachable.artifacts.stage import Stage
from teachable.errors import MissingInput, MissingRow, TableError

NOTED = "counted"  # before what a stage noted, in its log


Notes = Callable[[], Mapping[str, Any]]


def run_all(
    invocations: Sequence[Invocation], stages: Mapping[str, Stage], notes: Notes = lambda: MappingProxyType({})
) -> None:
    """Run stages one after the other. The first that fails ends the process; what was made before it is kept.

    ``notes`` is asked after each stage what it counted while it ran: facts that are no results. They go into the log,
    and into the store beside the result, so that a stage which is restored says them again.

    The GPU, if any is handed out, is taken before the first stage that computes with it and kept to the end: a process
    sees the same device throughout.

    Raises:
        CommandLineError: there is no such stage, or its line names other inputs, outputs or parameters than it has.
        MissingInput: names the first input that does not exist.
    """
    watch = Watch()
    with contextlib.ExitStack() as held:
        take_gpu = functools.cache(lambda: held.enter_context(gpus.reserve(1)))
        for invocation in invocations:
            if invocation.stage not in stages:
                raise CommandLineError(f"{invocation.stage}: no such stage; `teachable --help` lists them")
            _run(stages[invocation.stage], invocation, take_gpu, watch, notes)


def _run(stage: Stage, invocation: Invocation, take_gpu: Callable[[], object], watch: Watch, notes: Notes) -> None:
    """Make the outputs of ``invocation``, from the store where it holds them.

    The stage writes to temporary names beside the final ones; only a stage that ended well replaces anything.
    """
    from teachable.artifacts.store import Store
    from teachable.tables import made_by

    check(invocation, stage)
    for name, paths in invocation.inputs.items():
        for path in paths:
            if not path.exists():
                raise MissingInput(
                    f"{stage.name}: input {name}={path} does not exist: `snakemake -c 2 {path}` makes it."
                )
    params = validated(invocation, stage)
    store = Store.from_environment()
    if stage.computes(invocation.inputs) and stage.beside:
        take_gpu()  # what it looks at beside its inputs may be the device
    recipe = invocation.recipe(stage) if store is not None else None
    restored = store.restore(recipe, outputs=invocation.outputs) if store is not None and recipe is not None else None
    if restored:
        _say_notes(stage, restored.notes)
        say(f"{stage.name}: restored from the store")
        return

    started = time.monotonic()
    temporary = {name: _temporary(path) for name, path in invocation.outputs.items()}
    try:
        if stage.computes(invocation.inputs):
            take_gpu()  # before torch is imported
        function = importlib.import_module(stage.module).run
        with made_by(stage.name), _naming(stage, invocation):
            _write(stage, function(**_arguments(stage, function, invocation, params, temporary)), temporary)
        missing = [name for name, path in temporary.items() if not path.exists()]
        if missing:
            raise RuntimeError(f"{stage.name}: the stage ended without making {', '.join(missing)}")
        for name, path in invocation.outputs.items():
            _replace(temporary[name], path)
    finally:
        for path in temporary.values():
            _remove(path)
    seconds = time.monotonic() - started
    counted = dict(notes())
    _say_notes(stage, counted)
    unknown = watch.unknown(stage.modules(invocation.params))
    if unknown:
        say(
            f"{stage.name}: it used what its key does not know, so this result is not shared through the store: "
            f"{', '.join(unknown)}. Import it, or name the file, in the code that uses it."
        )
    elif store is not None and recipe is not None:
        store.publish(recipe, outputs=invocation.outputs, meta={"seconds": round(seconds, 3), "notes": counted})
    say(f"{stage.name}: done in {seconds:.1f} s")


@contextlib.contextmanager
def _naming(stage: Stage, call: Invocation) -> Iterator[None]:
    """Names the files among which a row is missing: a function of tables knows no paths."""
    from teachable import tables

    try:
        yield
    except MissingRow as error:
        schemas = {name: artifact.schema for name, artifact in stage.reads.items() if artifact.kind == "table"}
        having = [
            f"{name}={paths[0]}"
            for name, paths in call.inputs.items()
            if name in schemas and error.column in getattr(tables, str(schemas[name]))
        ]
        raise TableError(
            f"{stage.name}: {error}: {', '.join(having)} are not of one run. Delete what was changed and run the "
            "workflow again."
        ) from error


def _arguments(
    stage: Stage, function: Callable[..., Any], call: Invocation, params: BaseModel, temporary: Mapping[str, Path]
) -> dict[str, Any]:
    """What ``function`` asks for by the names of its parameters; nothing else is read."""
    own = {name for name, artifact in stage.outputs.items() if artifact.kind == "path"}

    def value(name: str) -> Any:
        if name in stage.input_names:
            return read(stage, name, call.inputs.get(name))
        if name in type(params).model_fields:
            return getattr(params, name)
        if name == "out":
            return {output: path for output, path in temporary.items() if output in own}
        if name == "inputs":
            return call.inputs
        if name == "data":
            every = dict.fromkeys([*filter(None, stage.input_names), *call.inputs])
            return {name: read(stage, name, call.inputs.get(name)) for name in every}
        raise RuntimeError(f"{stage.module}: run asks for {name!r}, which the stage has not")

    return {name: value(name) for name in inspect.signature(function).parameters}


def read(stage: Stage, name: str, paths: Sequence[Path] | None) -> Any:
    """The input ``name`` of a stage from where it lies: its table, its JSON value, or its path (a list where there may
    be several). Where none is given: None, or of several an empty table or list."""
    import polars as pl

    from teachable import tables

    several = f"{name}*" in stage.inputs
    artifact = stage.reads.get(name)
    kind = "path" if artifact is None else artifact.kind
    if not paths:
        if several:
            return tables.empty(_schema(artifact)) if kind == "table" else []
        return None
    if kind == "path":
        return list(paths) if several else paths[0]
    if kind == "json":
        found = [tables.read_document(path, _document(artifact)) for path in paths]
        return found if several else found[0]
    schema = _schema(artifact)
    frames = [tables.read(path, schema) for path in paths]
    return pl.concat(frames) if several else frames[0]


def _write(stage: Stage, made: Any, paths: Mapping[str, Path]) -> None:
    """Write what a stage returned, each output under its temporary name."""
    from teachable import tables

    returned = [artifact for artifact in stage.outputs.values() if artifact.kind != "path"]
    for artifact in returned:
        if len(returned) == 1:
            value = made
        else:
            value = made[artifact.name] if isinstance(made, Mapping) else getattr(made, artifact.name)
        if artifact.kind == "json":
            tables.write_document(value, paths[artifact.name], _document(artifact))
        else:
            tables.write(value, paths[artifact.name], _schema(artifact))


def _document(artifact: Artifact | None) -> Any:
    from teachable import tables

    return _schema(artifact) if artifact is not None and artifact.schema else tables.Document("JSON", Any)


def _schema(artifact: Artifact | None) -> Any:
    from teachable import tables

    assert artifact is not None
    assert artifact.schema is not None
    return getattr(tables, artifact.schema)


def _say_notes(stage: Stage, notes: Mapping[str, Any]) -> None:
    if notes:
        say(f"{stage.name}: {NOTED} {json.dumps(notes, sort_keys=True)}")


def say(text: str) -> None:
    """One line for the log."""
    print(text, file=sys.stderr, flush=True)


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # the name itself is kept, so that a stage may derive file names and formats from it
    directory = path.parent / f".making-{path.name}.{os.getpid()}"
    directory.mkdir(parents=True, exist_ok=True)
    return directory / path.name


def _replace(source: Path, target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    os.replace(source, target)


def _remove(path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)
