"""Run stages: look in the store, else compute into temporary names, rename, publish."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachable import gpus
from teachable.errors import MissingInput
from teachable.stages.commandline import CommandLineError, Invocation, validated

if TYPE_CHECKING:
    from teachable.stages import Stage

Inputs = Mapping[str, list[Path]]
Outputs = Mapping[str, Path]


def run_all(invocations: Sequence[Invocation], stages: Mapping[str, Stage]) -> None:
    """Run stages one after the other. The first that fails ends the process; what was made before it is kept.

    The GPU, if any is handed out, is taken before the first stage that computes with it and kept to the end: a process
    sees the same device throughout.

    Raises:
        CommandLineError: there is no such stage.
        MissingInput: names the first input that does not exist.
    """
    with contextlib.ExitStack() as held:
        take_gpu = functools.cache(lambda: held.enter_context(gpus.reserve(1)))
        for invocation in invocations:
            if invocation.stage not in stages:
                raise CommandLineError(f"{invocation.stage}: no such stage; `teachable --help` lists them")
            _run(stages[invocation.stage], invocation, take_gpu)


def _run(stage: Stage, invocation: Invocation, take_gpu: Callable[[], object]) -> None:
    """Make the outputs of ``invocation``, from the store where it holds them.

    The stage writes to temporary names beside the final ones; only a stage that ended well replaces anything.
    """
    from teachable.store import Store
    from teachable.tables import made_by

    for name, paths in invocation.inputs.items():
        for path in paths:
            if not path.exists():
                raise MissingInput(f"{stage.name}: input {name}={path} does not exist: `snakemake {path}` makes it.")
    params = validated(invocation, stage)
    store = Store.from_environment()
    recipe = invocation.recipe(stage) if store is not None else None
    if store is not None and recipe is not None and store.restore(recipe, outputs=invocation.outputs):
        say(f"{stage.name}: restored from the store")
        return

    started = time.monotonic()
    temporary = {name: _temporary(path) for name, path in invocation.outputs.items()}
    try:
        if stage.loads_student:
            take_gpu()  # before torch is imported
        module = importlib.import_module(stage.module)
        with made_by(stage.name):
            module.run(invocation.inputs, temporary, params)
        missing = [name for name, path in temporary.items() if not path.exists()]
        if missing:
            raise RuntimeError(f"{stage.name}: the stage ended without making {', '.join(missing)}")
        for name, path in invocation.outputs.items():
            _replace(temporary[name], path)
    finally:
        for path in temporary.values():
            _remove(path)
    seconds = time.monotonic() - started
    if store is not None and recipe is not None:
        store.publish(recipe, outputs=invocation.outputs, meta={"seconds": round(seconds, 3)})
    say(f"{stage.name}: done in {seconds:.1f} s")


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
