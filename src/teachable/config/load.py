"""Merge the configuration file, a preset and overrides; stop with one clear sentence where they do not fit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from teachable.config.model import Config
from teachable.errors import ConfigError

PRESETS = "presets"
OPTIONS = {"world": ("options",), "tasks": ("options", "test_options")}  # what a world takes of its own


class _Loader(yaml.SafeLoader):
    """Safe, and a key that stands in a mapping twice is an error; YAML lets the last one win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key_node.value!r} stands there twice, again in line {line}")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """The mapping in the YAML file at ``path``.

    Raises :class:`ConfigError` when it is missing, not UTF-8, not a mapping, or has a key twice.
    """
    path = Path(path)
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text in UTF-8 (byte {error.start}).") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:  # the last three: dates, numbers
        raise ConfigError(f"{path}: is not valid YAML: {_yaml_said(error)}.") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: must hold a mapping of keys to values.")
    if _holds_itself(value):
        raise ConfigError(f"{path}: an alias (*name) stands inside of what it names: write the values out.")
    return value


def _yaml_said(error: Exception) -> str:
    """What is wrong with a YAML text and where, on one line."""
    mark = getattr(error, "problem_mark", None)
    said = " ".join(str(getattr(error, "problem", None) or error).split()).removesuffix(".")
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{said or type(error).__name__}{place}"


def _holds_itself(value: Any, above: tuple[int, ...] = ()) -> bool:
    if id(value) in above:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds_itself(one, (*above, id(value))) for one in inner)


def dotted(path: Iterable[Any]) -> str:
    """A place in the configuration as messages name it: ``training.epochs``; what is no name is quoted."""
    return ".".join(str(part) if re.fullmatch(r"[\w.-]+", str(part)) else repr(part) for part in path)


def assignments(texts: Iterable[str], option: str) -> dict[str, Any]:
    """``KEY=VALUE`` texts, each value YAML, as Snakemake's ``--config`` takes them. Raises :class:`ConfigError`."""
    found: dict[str, Any] = {}
    for text in texts:
        key, mark, value = text.partition("=")
        if not mark or not key:
            raise ConfigError(f"{option}: {text!r} is not KEY=VALUE.")
        try:
            found[key] = yaml.load(value, Loader=_Loader)
        except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
            raise ConfigError(f"{option}: {key}: is not valid YAML: {_yaml_said(error)}.") from error
    return found


def preset_names(raw: Mapping[str, Any]) -> list[str]:
    """Names that ``preset`` may take: the ones under ``presets``."""
    return list(raw.get(PRESETS) or {})


def load_config(
    raw: Mapping[str, Any],
    *,
    source: str = "workflow_config.yaml",
    preset: str | None = None,
    given: str | None = None,
) -> Config:
    """The resolved configuration.

    Precedence, weakest first: the top-level sections of ``raw``, the chosen preset, then ``raw["override"]`` (what
    the command line gave). ``source`` and ``given`` name the two in messages; without ``given`` both are ``source``.

    Raises:
        ConfigError: names the key, the file and, for an unknown key, the nearest valid name.
    """
    given = given or source
    values = {key: value for key, value in raw.items() if key not in (PRESETS, "override")}
    presets, override = raw.get(PRESETS) or {}, raw.get("override") or {}
    if not isinstance(presets, Mapping):
        raise ConfigError(f"{source}: {PRESETS}: must be a mapping of names to what differs, got {_short(presets)}.")
    if PRESETS in override:
        raise ConfigError(
            f"{given}: {PRESETS}: this is a whole configuration. Keep in it only the values that differ from {source}, "
            f"or change {source} itself."
        )
    name = values.get("preset") if preset is None else preset
    if not isinstance(name, str) or name not in presets:
        raise ConfigError(f"{given}: preset: there is no preset {name!r}{_nearest(str(name), list(presets))}.")
    if not isinstance(presets[name] or {}, Mapping):
        raise ConfigError(f"{source}: {PRESETS}.{name}: must be a section with keys, got {_short(presets[name])}.")
    _check_known(override, Config, given, ())
    merged = merge(*_of_one_world(values, presets[name] or {}, override))
    merged["preset"] = name
    _check_keys(merged, Config, source, ())
    for place, problem in _unwritable(merged, ()):
        raise ConfigError(f"{given if _stands_in(override, place) else source}: {dotted(place)}: {problem}.")
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = dotted(first["loc"]) or "configuration"
        message = first["msg"].removeprefix("Value error, ").removesuffix(".")
        value = f" (got {_short(first.get('input'))})"
        if isinstance(first.get("input"), Mapping) or first["loc"][-1:] == ("api_key_env",):
            value = ""  # a whole section says nothing, and what stands for the variable's name may be the key
        whole = not first["loc"]  # values of several sections do not fit together
        blamed = given if (override if whole else _stands_in(override, first["loc"])) else source
        raise ConfigError(f"{blamed}: {where}: {message}{value}.") from None


def _unwritable(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Texts that neither a file nor a command line can hold, and numbers that no table can."""
    if isinstance(value, str) and not all(one.isprintable() or one in "\n\r\t" for one in value):
        yield place, f"holds a character that cannot be printed, {ascii(value)[:60]}: write it anew"
    elif isinstance(value, int) and abs(value) >= 2**63:
        yield place, "is too large a number: at most 9223372036854775807 can be kept"
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _unwritable(key, (*place, key))
        yield from _unwritable(inner, (*place, key))


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


def _stands_in(values: Any, place: tuple[Any, ...]) -> bool:
    """Whether ``values`` says anything of the field at ``place``, or of the section that it is."""
    for part in place:
        if not isinstance(values, Mapping):
            return True
        if part not in values:
            return False
        values = values[part]
    return bool(place)


def _check_known(values: Mapping[str, Any], model: type[BaseModel], source: str, path: tuple[str, ...]) -> None:
    for key, value in values.items():
        if key not in model.model_fields:
            where = dotted((*path, key))
            every = {name: ".".join((*at, name)) for at, name in _all_keys(Config, ())}
            hint = _nearest(str(key), list(model.model_fields)) or _elsewhere(str(key), every)
            raise ConfigError(f"{source}: {where}: unknown key{hint}.")
        inner = _section(model.model_fields[key].annotation)
        if inner is not None and not isinstance(value, Mapping):
            where = ".".join((*path, key))
            raise ConfigError(f"{source}: {where}: must be a section with keys, got {_short(value)}.")
        if inner is not None:
            _check_known(value, inner, source, (*path, key))


def _check_keys(values: Mapping[str, Any], model: type[BaseModel], source: str, path: tuple[str, ...]) -> None:
    """Unknown and missing keys first: they explain most type errors that would follow."""
    _check_known(values, model, source, path)
    for key in model.model_fields:
        if key not in values:
            raise ConfigError(f"{source}: {'.'.join((*path, key))}: missing; workflow_config.yaml shows its default.")
    for key, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner is not None:
            _check_keys(values[key], inner, source, (*path, key))


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
