"""The configuration with the world's say: its families, skills and options, checked before any job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from teachable.config import Config, load_config
from teachable.config.kept import kept_preset
from teachable.config.load import assignments, read_yaml
from teachable.config.reference import reference, table
from teachable.errors import ConfigError
from teachable.selection import check_known
from teachable.student.prompt import layouts
from teachable.worlds.base import WorldError
from teachable.worlds.registry import SPLITS, OptionError, WorldEntry, built_in, get_entry


def configuration(
    raw: Mapping[str, Any],
    *,
    source: str = "workflow_config.yaml",
    preset: str | None = None,
    given: str | None = None,
) -> tuple[Config, WorldEntry]:
    """:func:`teachable.config.load_config`, with the defaults of the world's options filled in, and the world.

    So what a stage is configured by, and keyed on, is complete: an option that is left out and one that is given its
    default are the same. Raises ConfigError, with file, field and remedy.
    """
    config = load_config(raw, source=source, preset=preset, given=given)
    try:
        entry = get_entry(config.world.name)
    except WorldError as error:
        raise ConfigError(f"{source}: world.name: {error}") from error
    if config.student.layout not in (None, *layouts()):
        raise ConfigError(
            f"{source}: student.layout: no layout is called {config.student.layout!r}; there are {', '.join(layouts())}"
        )
    tasks = config.tasks
    try:
        for split in SPLITS:
            entry.check_tasks(f"tasks.{split}", getattr(tasks, split))
        entry.check_skills("builtin.gaps", config.builtin.gaps if config.student.source == "builtin" else ())
        playing = entry.resolve("world.options", "options", config.world.options)
        making = entry.resolve("tasks.options", "making", tasks.options)
        testing = entry.resolve("tasks.test_options", "making", {**tasks.options, **tasks.test_options})
    except OptionError as error:
        raise ConfigError(f"{source}: {error}") from error
    try:
        entry.check_ready()
    except WorldError as error:
        raise ConfigError(f"{source}: world.name: {error}") from error
    for name in entry.libraries:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            raise ConfigError(f"{source}: world.name: world {entry.name!r} needs {name}: install it.") from None
    changed = {key: value for key, value in testing.items() if key not in making or making[key] != value}
    return config.model_copy(
        update={
            "world": config.world.model_copy(update={"options": playing}),
            "tasks": tasks.model_copy(update={"options": making, "test_options": changed}),
        }
    ), entry


def given_configuration(file: str, texts: Sequence[str], preset: str | None, results: str) -> tuple[Config, WorldEntry]:
    """What the workflow resolves for ``--config`` and these ``KEY=VALUE`` texts. Without a preset it goes on with the
    one that made ``results``. Raises ConfigError."""
    given = assignments(texts, "--config")
    preset = preset or given.pop("preset", None) or kept_preset(Path(results) / "preset")
    config, entry = configuration({**read_yaml(file), "override": given}, source=file, preset=preset, given="--config")
    check_known(config.selection.methods)
    return config, entry


def shipped(preset: str = "laptop") -> Config:
    """The configuration that the package brings along, with a preset of its own."""
    with as_file(files("teachable.data") / "workflow_config.yaml") as path:
        return configuration(read_yaml(path), preset=preset)[0]


def making_options(config: Config, split: str) -> dict[str, Any]:
    """The options of the world's generator for the games of a split."""
    return {**config.tasks.options, **(config.tasks.test_options if split == "test" else {})}


def reference_page() -> str:
    """``docs/configuration.md``: every key, and the options of the worlds that come with the library."""
    lines = [reference().rstrip("\n")]
    for entry in built_in():
        lines += ["", f"## The world {entry.name}", ""]
        lines += [f"* `{family}`: {about}" for family, about in entry.families.items()]
        lines += ["", f"Skills that `builtin.gaps` may name: {', '.join(f'`{skill}`' for skill in entry.skills)}."]
        for prefix, model in (("world.options", entry.options), ("tasks.options", entry.making)):
            if model is not None:
                lines += ["", *table(prefix, model)]
    return "\n".join(lines) + "\n"
