"""Merge the configuration file, a preset and overrides; stop with one clear sentence where they do not fit."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from teachable.config.model import Config
from teachable.errors import ConfigError

PRESETS = "presets"
OPTIONS = {"world": ("options",), "tasks": ("options", "test_options")}  # what a world takes of its own


def read_yaml(path: Path | str) -> dict[str, Any]:
    """The mapping in the YAML file at ``path``. Raises :class:`ConfigError` when it is missing or not a mapping."""
    path = Path(path)
    try:
        value = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: must hold a mapping of keys to values.")
    return value


def preset_names(raw: Mapping[str, Any]) -> list[str]:
    """Names that ``preset`` may take: the ones under ``presets``."""
    return list(raw.get(PRESETS) or {})


def load_config(raw: Mapping[str, Any], *, source: str = "workflow_config.yaml", preset: str | None = None) -> Config:
    """The resolved configuration.

    Precedence, weakest first: the top-level sections of ``raw``, the chosen preset, then ``raw["override"]`` (what
    the command line gave).

    Raises:
        ConfigError: names the key, the file and, for an unknown key, the nearest valid name.
    """
    values = {key: value for key, value in raw.items() if key not in (PRESETS, "override")}
    name = preset or values.get("preset")
    presets = raw.get(PRESETS) or {}
    if name not in presets:
        raise ConfigError(f"{source}: preset: there is no preset {name!r}{_nearest(str(name), list(presets))}.")
    merged = merge(*_of_one_world(values, presets[name] or {}, raw.get("override") or {}))
    merged["preset"] = name
    _check_keys(merged, Config, source, ())
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "configuration"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{source}: {where}: {message} (got {_short(first.get('input'))}).") from error


def _of_one_world(*layers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers, weakest first, without options that were meant for another world than the one that is named last: who
    names a world begins with that world's own defaults."""
    named = [dict(layer["world"]) if isinstance(layer.get("world"), Mapping) else {} for layer in layers]
    final = next((world["name"] for world in reversed(named) if "name" in world), None)
    result, current = [], None
    for layer, world in zip(map(dict, layers), named, strict=True):
        current = world.get("name", current)
        if current != final:
            for section, keys in OPTIONS.items():
                if isinstance(layer.get(section), Mapping):
                    layer[section] = {key: {} if key in keys else value for key, value in layer[section].items()}
        result.append(layer)
    return result


def merge(*layers: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Later layers win. Sections merge key by key; counts per family, and gaps, are replaced whole, so that a preset
    that names two families means these two and not the other families' defaults as well."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            here = (*path, key)
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            whole = (len(here) == 2 and here[0] == "tasks") or here == ("builtin", "gaps")
            result[key] = merge(result[key], value, path=here) if both and not whole else value
    return result


def _check_keys(values: Mapping[str, Any], model: type[BaseModel], source: str, path: tuple[str, ...]) -> None:
    """Unknown and missing keys first: they explain most type errors that would follow."""
    for key in values:
        if key not in model.model_fields:
            where = ".".join((*path, str(key)))
            every = {name: ".".join((*at, name)) for at, name in _all_keys(Config, ())}
            hint = _nearest(str(key), list(model.model_fields)) or _elsewhere(str(key), every)
            raise ConfigError(f"{source}: {where}: unknown key{hint}.")
    for key in model.model_fields:
        if key not in values:
            raise ConfigError(f"{source}: {'.'.join((*path, key))}: missing; workflow_config.yaml shows its default.")
    for key, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner is not None:
            value = values[key]
            if not isinstance(value, Mapping):
                where = ".".join((*path, key))
                raise ConfigError(f"{source}: {where}: must be a section with keys, got {_short(value)}.")
            _check_keys(value, inner, source, (*path, key))


def _section(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _all_keys(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, field in model.model_fields.items():
        yield path, key
        inner = _section(field.annotation)
        if inner is not None:
            yield from _all_keys(inner, (*path, key))


def _nearest(name: str, valid: list[str]) -> str:
    found = difflib.get_close_matches(name, valid, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def _elsewhere(name: str, every: Mapping[str, str]) -> str:
    found = difflib.get_close_matches(name, list(every), n=1, cutoff=0.75)
    return f"; did you mean {every[found[0]]!r}?" if found else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
