"""Keeping a store in order: what is in it, is it sound, and what may go."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from teachable.artifacts.objects import TREE, CorruptObject, digest_file, walk
from teachable.artifacts.store import Record, Store, read_record

DAY = 86_400.0  # seconds


@dataclass(slots=True)
class Verification:
    """What :func:`verify` found; true when all is sound."""

    objects: int = 0
    size: int = 0  # bytes
    records: int = 0
    corrupt: list[str] = field(default_factory=list)  # digests, now in quarantine
    incomplete: list[str] = field(default_factory=list)  # "<stage>/<key>: <output> ...", now in quarantine
    unreadable: list[str] = field(default_factory=list)  # records, now in quarantine

    def __bool__(self) -> bool:
        return not (self.corrupt or self.incomplete or self.unreadable)


def verify(store: Store) -> Verification:
    """Hash every object and read every record; what is damaged goes to quarantine and is listed."""
    found = Verification()
    for value, path in store.objects.every():
        found.objects += 1
        found.size += path.stat().st_size
        try:
            store.objects.verify(value)
        except CorruptObject:
            found.corrupt.append(value)
    for path in store.record_paths():
        found.records += 1
        name = f"{path.parent.name}/{path.stem}"
        try:
            record = read_record(path)
            if record.key != path.stem:
                raise ValueError("filed under another key")
        except (OSError, ValueError) as error:
            store.objects.isolate(path)
            found.unreadable.append(f"{name}: {error}")
            continue
        gone = _incomplete(store, record)
        if gone:
            store.objects.isolate(path)
            found.incomplete.append(f"{name}: {gone}")
    return found


def _incomplete(store: Store, record: Record) -> str:
    for role, output in record.outputs.items():
        try:
            entries = store.objects.members(output.digest) if output.digest.startswith(TREE) else []
        except CorruptObject as error:
            return f"output {role!r}: {error}"
        for value in [output.digest, *(entry.digest for entry in entries if entry.digest)]:
            if not store.objects.path(value).exists():
                return f"output {role!r}: object {value[:16]} is missing"
    return ""


@dataclass(slots=True)
class Collection:
    """What :func:`collect` removed, or would."""

    kept: int = 0  # records
    records: int = 0  # removed
    objects: int = 0  # removed
    size: int = 0  # bytes of them


def collect(
    store: Store,
    *,
    newer_than_days: float | None = None,
    results: Sequence[Path] = (),
    dry_run: bool = False,
    grace_seconds: float = DAY,
) -> Collection:
    """Remove every record that nothing keeps, then every object that no record names.

    Kept are records made or served in the last ``newer_than_days`` days, records whose output lies below one
    of ``results``, and whatever made the inputs of a kept record. Objects and temporary files younger than
    ``grace_seconds`` stay, because a writer may be about to name them.
    """
    records = _records(store)
    wanted = _reachable(store, records, newer_than_days, results)
    found = Collection(kept=len(wanted))
    named: set[str] = set()
    for path, record in records:
        if record.key in wanted:
            for value in _objects_of(store, record):
                named.add(value.removeprefix(TREE))
            continue
        found.records += 1
        if not dry_run:
            path.unlink(missing_ok=True)
    now = time.time()
    for value, path in store.objects.every():
        status = path.stat()
        if value not in named and now - max(status.st_mtime, status.st_ctime) >= grace_seconds:
            found.objects += 1
            found.size += status.st_size
            if not dry_run:
                path.unlink(missing_ok=True)
    for directory in (store.objects.temporary, store.objects.quarantine):
        for path in directory.glob("*") if not dry_run else ():
            if now - path.stat().st_mtime >= grace_seconds:
                path.unlink(missing_ok=True)
    return found


def needed(store: Store, results: Sequence[Path]) -> set[str]:
    """Keys of the records whose output lies below one of ``results``, and of whatever made their inputs."""
    return _reachable(store, _records(store), None, results)


def _reachable(
    store: Store, records: list[tuple[Path, Record]], days: float | None, results: Sequence[Path]
) -> set[str]:
    makers: dict[str, list[Record]] = {}
    for _, record in records:
        for output in record.outputs.values():
            makers.setdefault(output.digest, []).append(record)
    pending: list[Record] = []
    if days is not None:
        served = {
            event.get("key"): event.get("time", 0.0) for event in store.events() if event.get("event") == "restored"
        }
        oldest = time.time() - days * DAY
        pending += [record for _, record in records if max(_made(record), served.get(record.key, 0.0)) >= oldest]
    if results:
        present = {digest_file(path)[0] for top in results for path, _ in walk(top) if path.is_file()}
        pending += [record for _, record in records if _present(store, record, present)]
    wanted: set[str] = set()
    while pending:
        record = pending.pop()
        if record.key in wanted:
            continue
        wanted.add(record.key)
        for values in record.recipe.inputs.values():
            for value in values:
                pending += makers.get(value, [])
    return wanted


def _present(store: Store, record: Record, present: set[str]) -> bool:
    for output in record.outputs.values():
        if output.digest in present:
            return True
        if output.digest.startswith(TREE):
            try:
                members = [entry.digest for entry in store.objects.members(output.digest) if entry.digest]
            except CorruptObject:
                continue
            if members and present.issuperset(members):
                return True
    return False


def _objects_of(store: Store, record: Record) -> Iterable[str]:
    for output in record.outputs.values():
        yield output.digest
        if output.digest.startswith(TREE):
            try:
                yield from (entry.digest for entry in store.objects.members(output.digest) if entry.digest)
            except CorruptObject:
                continue


def _records(store: Store) -> list[tuple[Path, Record]]:
    """Every record that can be read, and its file."""
    found = []
    for path in store.record_paths():
        with contextlib.suppress(OSError, ValueError):
            found.append((path, read_record(path)))
    return found


def _made(record: Record) -> float:
    try:
        return datetime.fromisoformat(record.created).timestamp()
    except ValueError:
        return 0.0


@dataclass(slots=True)
class Status:
    """Counts of a store."""

    records: Counter[str] = field(default_factory=Counter)  # stage -> records
    objects: int = 0
    size: int = 0  # bytes on disk
    logical: int = 0  # bytes the records name; above ``size`` where contents are shared
    events: Counter[str] = field(default_factory=Counter)  # restored | absent | corrupt | published
    restored: int = 0  # bytes
    saved: float = 0.0  # seconds that the restored stages had taken
    quarantined: int = 0

    def as_json(self) -> str:
        document = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(document, sort_keys=True)


def status(store: Store) -> Status:
    """Count records, objects, bytes and what happened so far."""
    found = Status()
    seconds: dict[str, float] = {}
    for record in store.every_record():
        found.records[record.recipe.stage] += 1
        found.logical += record.size
        taken = record.meta.get("seconds", 0.0)
        seconds[record.key] = float(taken) if isinstance(taken, int | float) else 0.0
    for _, path in store.objects.every():
        found.objects += 1
        found.size += path.stat().st_size
    for event in store.events():
        kind = str(event.get("event"))
        found.events[kind] += 1
        if kind == "restored":
            found.restored += int(event.get("bytes", 0))
            found.saved += seconds.get(str(event.get("key")), 0.0)
    found.quarantined = sum(1 for _ in store.objects.quarantine.glob("*"))
    return found
