"""Why a file is what it is: the code, parameters, inputs and versions that made it, and what changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachable.artifacts import fingerprint
from teachable.artifacts.objects import TREE, CorruptObject, UnreachableObject, digest
from teachable.artifacts.recipe import Recipe, canonical_json
from teachable.artifacts.store import Record, Store
from teachable.errors import TeachableError


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two recipes differ, or a recipe and the present."""

    kind: str  # code | params | inputs | versions
    name: str  # module, dotted parameter, input role or path, library
    before: str  # "" when it was not there
    after: str

    def __str__(self) -> str:
        label = {"code": "code", "params": "parameter", "inputs": "input", "versions": "version of"}[self.kind]
        if not self.before:
            return f"{label} {self.name}: new ({_short(self.after)})"
        if not self.after:
            return f"{label} {self.name}: gone (was {_short(self.before)})"
        return f"{label} {self.name}: {_short(self.before)} -> {_short(self.after)}"


@dataclass(frozen=True, slots=True)
class Match:
    """A record that made the file: as its output ``role``, or as ``member`` of the directory ``role``."""

    record: Record
    role: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What :func:`explain` found."""

    path: Path
    digest: str
    matches: tuple[Match, ...]  # newest first
    now: tuple[Difference, ...] | None  # a recomputation now against the match, or else the nearest; None: unknown
    nearest: Record | None  # compared with when nothing made these very bytes

    @property
    def current(self) -> bool:
        """Whether a recomputation now would be served from the record that made the file."""
        return bool(self.matches) and self.now == ()

    def text(self) -> str:
        """For a person; one fact a line."""
        lines = [f"{self.path}", f"  content {self.digest}"]
        record = self.matches[0].record if self.matches else self.nearest
        if self.matches:
            match = self.matches[0]
            part = f" (member {match.member})" if match.member else ""
            lines.append(f"  made by {match.record.recipe.stage}, output {match.role}{part}")
            if len(self.matches) > 1:
                lines.append(f"  and by {len(self.matches) - 1} other recipes that gave the same bytes")
        else:
            lines.append("  no record of the store made these bytes: made without the store, or changed afterwards")
            if record is not None:
                lines.append(f"  nearest record: {record.recipe.stage} {record.key[:16]} of {record.created}")
        if record is not None:
            lines += _facts(record)
            lines += self._verdict()
        return "\n".join(lines)

    def _verdict(self) -> list[str]:
        if self.now is None:
            return ["if made now: unknown, the record does not say where its code and inputs are"]
        if not self.now:
            same = "the same recipe: it would be restored, not computed"
            return [
                f"if made now: {same}"
                if self.matches
                else "if made now: " + same + ", with other bytes than the file's"
            ]
        return ["if made now: another recipe, because of", *(f"  {difference}" for difference in self.now)]


def explain(store: Store, path: Path, current: Recipe | None = None) -> Explanation:
    """Explain the file or directory at ``path``.

    ``current`` is the recipe that would make it now, when the caller knows it (from the workflow); else code,
    libraries and inputs are looked up where the record says they were, and parameters are taken as unchanged.
    """
    value = digest(path)
    found = matches(store, value)
    if found:
        record: Record | None = found[0].record
    else:
        record = nearest(store, path, current)
    now: tuple[Difference, ...] | None = None
    if record is not None:
        now = since(record, current)
        if current is not None and found and not now:
            found.sort(key=lambda match: match.record.key != current.key)
    return Explanation(path, value, tuple(found), now, None if found else record)


def matches(store: Store, value: str) -> list[Match]:
    """Records with an output of this digest, newest first; failing that, with a directory that has it as a member."""
    records = sorted(store.every_record(), key=lambda record: record.created, reverse=True)
    direct = [
        Match(record, role) for record in records for role, output in record.outputs.items() if output.digest == value
    ]
    if direct or value.startswith(TREE):
        return direct
    members: dict[str, dict[str, str]] = {}
    found = []
    for record in records:
        for role, output in record.outputs.items():
            if not output.digest.startswith(TREE):
                continue
            if output.digest not in members:
                try:
                    entries = store.objects.members(output.digest)
                except (CorruptObject, UnreachableObject):
                    entries = []
                members[output.digest] = {entry.digest: entry.path for entry in entries}
            if value in members[output.digest]:
                found.append(Match(record, role, members[output.digest][value]))
    return found


def nearest(store: Store, path: Path, current: Recipe | None) -> Record | None:
    """The record to compare with when none made these bytes: of the same stage and fewest differences, or by path."""
    if current is not None:
        candidates = [
            record for record in store.every_record(current.stage) if set(current.outputs) <= set(record.outputs)
        ]
        return min(candidates, key=lambda record: len(differences(record.recipe, current)), default=None)
    wanted = path.resolve()
    by_path = [
        record
        for record in store.every_record()
        if any(Path(str(made)).resolve() == wanted for made in record.meta.get("outputs", {}).values())
    ]
    return max(by_path, key=lambda record: record.created, default=None)


def since(record: Record, current: Recipe | None = None) -> tuple[Difference, ...] | None:
    """What differs between a record and now; None when neither ``current`` nor the record can tell."""
    modules: list[str] = list(record.meta.get("modules") or ())
    pieces: Mapping[str, str] = record.meta.get("code") or {}
    recorded: Mapping[str, Sequence[str]] | None = record.meta.get("inputs")
    if current is None and not modules:
        return None
    recipe = record.recipe
    found: list[Difference] = []
    if current is not None:
        found += [item for item in differences(recipe, current) if item.kind != "code"]
        code = current.code
        versions: Mapping[str, str] = {}
    else:
        try:
            code = fingerprint.fingerprint(*modules)
        except fingerprint.FingerprintError:
            code = ""
        versions = fingerprint.versions(fingerprint.library_imports(*modules)) if code else {}
        found += _mapping("versions", recipe.versions, versions) if code else []
        found += _inputs(recipe, recorded or {})
    if code != recipe.code:
        now = fingerprint.parts(*modules) if modules and code else {}
        changed = _mapping("code", pieces, now) if pieces and now else []
        found += changed or [Difference("code", " ".join(modules or [recipe.stage]), recipe.code, code)]
    order = ("code", "params", "inputs", "versions")
    return tuple(sorted(found, key=lambda item: (order.index(item.kind), item.name)))


def differences(before: Recipe, after: Recipe) -> tuple[Difference, ...]:
    """What differs between two recipes of a stage."""
    found = [Difference("code", before.stage, before.code, after.code)] if before.code != after.code else []
    found += _mapping("params", _flat(before.params), _flat(after.params))
    found += _mapping("inputs", _listed(before.inputs), _listed(after.inputs))
    found += _mapping("versions", before.versions, after.versions)
    return tuple(found)


def _inputs(recipe: Recipe, recorded: Mapping[str, Sequence[str]]) -> list[Difference]:
    found = []
    for role, values in recipe.inputs.items():
        for value, place in zip(values, recorded.get(role, ()), strict=False):
            try:
                now = digest(Path(place))
            except TeachableError:
                now = ""
            if now != value:
                found.append(Difference("inputs", f"{role} ({place})", value, now))
    return found


def _mapping(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    names = sorted(set(before) | set(after))
    return [
        Difference(kind, name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    ]


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, Mapping) and value:
        rows: dict[str, str] = {}
        for name, item in value.items():
            rows.update(_flat(item, f"{prefix}.{name}" if prefix else name))
        return rows
    return {prefix: canonical_json(value)} if prefix else {}


def _listed(inputs: Mapping[str, Sequence[str]]) -> dict[str, str]:
    rows = {}
    for role, values in inputs.items():
        for index, value in enumerate(values):
            rows[role if len(values) == 1 else f"{role}[{index}]"] = value
    return rows


def _facts(record: Record) -> list[str]:
    recipe, meta = record.recipe, record.meta
    lines = [
        f"recipe {record.key[:16]} of {record.created} on {meta.get('host', 'an unknown host')}"
        + (f", {meta['seconds']:g} s" if isinstance(meta.get("seconds"), int | float) else ""),
        f"  code {recipe.code[:16]}" + (f" ({len(meta['code'])} files)" if meta.get("code") else ""),
    ]
    lines += [f"  parameter {name} = {_short(value, 100)}" for name, value in sorted(_flat(recipe.params).items())]
    for role, values in sorted(recipe.inputs.items()):
        places = meta.get("inputs", {}).get(role, [])
        for index, value in enumerate(values):
            place = f" {shlex.quote(places[index])}" if index < len(places) else ""
            lines.append(f"  input {role}{place} {_short(value)}")
    return lines + [f"  library {name} {version}" for name, version in sorted(recipe.versions.items())]


def _short(text: str, limit: int = 60) -> str:
    digits = text.removeprefix(TREE)
    if len(digits) == 64 and all(character in "0123456789abcdef" for character in digits):
        return text[: len(text) - 48]
    return text if len(text) <= limit else text[: limit - 3] + "..."
