"""Keeping a store in order: what is in it, is it sound, and what may go."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from teachable.artifacts.objects import TREE, CorruptObject, StoreError, UnreachableObject, digest_file, walk
from teachable.artifacts.store import OtherFormat, Record, Store, read_record

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
    unknown: list[str] = field(default_factory=list)  # out of reach, or of another version: left where they are

    def __bool__(self) -> bool:
        return not (self.corrupt or self.incomplete or self.unreadable)


def verify(store: Store) -> Verification:
    """Hash every object and read every record; what is damaged goes to quarantine and is listed.

    What this user may not read, or another version of the program wrote, is listed and stays. What another process
    removes or replaces meanwhile is no damage.
    """
    found = Verification(unknown=[f"{path.name}/: cannot be listed" for path in store.closed()])
    for value, path in store.objects.every():
        try:
            size = path.stat().st_size
            store.objects.verify(value)
        except (FileNotFoundError, PermissionError):
            continue
        except UnreachableObject as error:
            found.unknown.append(str(error))
            continue
        except CorruptObject as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                found.corrupt.append(value)
            continue
        found.objects += 1
        found.size += size
    for path in store.record_paths():
        name = f"{path.parent.name}/{path.stem}"
        try:
            record = read_record(path)
            if record.key != path.stem:
                raise ValueError("filed under another key")
            gone = _incomplete(store, record)
        except FileNotFoundError:
            continue
        except (OSError, OtherFormat, UnreachableObject) as error:
            found.unknown.append(f"{name}: {error}")
            continue
        except ValueError as error:
            store.objects.isolate(path)
            found.unreadable.append(f"{name}: {error}")
            continue
        found.records += 1
        if gone and path.exists():
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
    unknown: list[str] = field(default_factory=list)  # what cannot be read: for its sake every object stays
    refused: int = 0  # files that this user may not remove


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
    ``grace_seconds`` stay, because a writer may be about to name them. Where a record or the list of a directory cannot
    be read, or is of another version, all objects stay: any may be its own.

    Raises:
        StoreError: ``newer_than_days`` is no number of days.
    """
    if newer_than_days is not None and not 0 <= newer_than_days < math.inf:
        raise StoreError(f"{newer_than_days:g} is no number of days to keep: say 0 or more (nothing was removed)")
    records, unknown = _records(store)
    wanted = _reachable(store, records, newer_than_days, results)
    found = Collection(kept=len(wanted), unknown=unknown)
    named: set[str] = set()
    for path, record in records:
        if record.key in wanted:
            try:
                named.update(value.removeprefix(TREE) for value in _objects_of(store, record))
            except UnreachableObject as error:
                found.unknown.append(str(error))
        elif dry_run or _removed(path, found):
            found.records += 1
    now = time.time()
    for value, path in () if found.unknown else store.objects.every():
        if value in named:
            continue
        try:
            status = path.stat()
            old = max(status.st_mtime, status.st_ctime) <= now - grace_seconds
            gone = old if dry_run else store.objects.discard(value, now - grace_seconds)
        except FileNotFoundError:
            continue
        except PermissionError:
            found.refused += 1
            continue
        if gone:
            found.objects += 1
            found.size += status.st_size
    for directory in (store.objects.temporary, store.objects.quarantine):
        for path in directory.glob("*") if not dry_run else ():
            with contextlib.suppress(FileNotFoundError):
                if now - path.stat().st_mtime >= grace_seconds:
                    _removed(path, found)
    return found


def _removed(path: Path, found: Collection) -> bool:
    """Remove a file; False, counted, where this user may not."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        found.refused += 1
        return False
    return True


def needed(store: Store, results: Sequence[Path]) -> set[str]:
    """Keys of the records whose output lies below one of ``results``, and of whatever made their inputs."""
    return _reachable(store, _records(store)[0], None, results)


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
        present = set()
        for top in results:
            for path, _ in walk(top):
                with contextlib.suppress(FileNotFoundError):  # a run may be writing there
                    present |= {digest_file(path)[0]} if path.is_file() else set()
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
            except (CorruptObject, UnreachableObject):
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


def _records(store: Store) -> tuple[list[tuple[Path, Record]], list[str]]:
    """Every record that can be read, and its file; and what there is that cannot, though it may be sound."""
    found, unknown = [], [f"{path.name}/: cannot be listed" for path in store.closed()]
    for path in store.record_paths():
        try:
            found.append((path, read_record(path)))
        except FileNotFoundError:
            continue
        except (OSError, OtherFormat) as error:
            unknown.append(f"{path.parent.name}/{path.stem[:16]}: {error}")
        except ValueError:
            continue
    return found, unknown


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
        with contextlib.suppress(OSError):
            found.size += path.stat().st_size
            found.objects += 1
    for event in store.events():
        kind = str(event.get("event"))
        found.events[kind] += 1
        if kind == "restored":
            found.restored += int(event.get("bytes", 0))
            found.saved += seconds.get(str(event.get("key")), 0.0)
    found.quarantined = sum(1 for _ in store.objects.quarantine.glob("*"))
    return found
