"""The store: outputs by the recipe that makes them. Records say which recipe gave which objects.

``records/<stage>/<key>.json`` is written last, by rename, when all its objects are in place: a writer killed
before that has published nothing. Any number of processes and hosts may read and write; nothing needs a lock.
What is served was hashed on the way out, so a damaged object is noticed, put in quarantine and reported, and
the caller computes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from teachable.artifacts.objects import CorruptObject, Objects, StoreError, UnreachableObject, is_digest, remove
from teachable.artifacts.objects import digest as digest_of
from teachable.artifacts.recipe import Recipe, RecipeError

OFF = "off"
ENVIRONMENT = "TEACHABLE_STORE"  # the directory, or "off"
ENVIRONMENT_REFRESH = "TEACHABLE_STORE_REFRESH"  # "1": compute anew, and publish
DEFAULT = Path(".cache/store")
RECORD_FORMAT = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Output:
    """One stored output."""

    digest: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What the store knows of one artifact."""

    recipe: Recipe
    outputs: Mapping[str, Output]
    meta: Mapping[str, Any]
    created: str  # ISO 8601, UTC

    @property
    def key(self) -> str:
        return self.recipe.key

    @property
    def size(self) -> int:
        return sum(output.size for output in self.outputs.values())

    def document(self) -> dict[str, Any]:
        return {
            "format": RECORD_FORMAT,
            "key": self.key,
            "recipe": self.recipe.document(),
            "outputs": {name: [output.digest, output.size] for name, output in self.outputs.items()},
            "meta": dict(self.meta),
            "created": self.created,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Record:
        """Raises ``ValueError`` unless the document is a record whose key fits its recipe."""
        try:
            if document["format"] != RECORD_FORMAT:
                raise OtherFormat(f"record format {document['format']!r}, this program reads {RECORD_FORMAT}")
            outputs = {name: Output(str(value), int(size)) for name, (value, size) in document["outputs"].items()}
            record = cls(Recipe.from_document(document["recipe"]), outputs, document["meta"], document["created"])
        except (KeyError, TypeError, AttributeError, RecipeError) as error:
            raise ValueError(f"not a record: {error!r}") from error
        if record.key != document.get("key"):
            raise ValueError("the key does not fit the recipe")
        if not all(is_digest(output.digest) for output in outputs.values()):
            raise ValueError("an output has no digest")
        return record


class OtherFormat(ValueError):
    """A record that another version of this program wrote: no damage."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of an attempt to restore; true when the outputs are in place."""

    state: str  # restored | absent | corrupt | refresh
    key: str
    size: int = 0  # bytes
    seconds: float = 0.0
    problems: tuple[str, ...] = field(default=())
    notes: Mapping[str, Any] = field(default_factory=dict)  # what the stage noted when it ran

    def __bool__(self) -> bool:
        return self.state == "restored"

    def __str__(self) -> str:
        return "; ".join((self.state, *self.problems))


class Store:
    """The store at one directory."""

    def __init__(self, root: Path, *, refresh: bool = False) -> None:
        self.root = root
        self.refresh = refresh
        self.objects = Objects(root)
        self.records = root / "records"
        self._digests: dict[tuple[int, ...], str] = {}
        self._events = root / "events" / f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"

    @classmethod
    def from_environment(cls, path: Path | str | None = None) -> Store | None:
        """The store ``TEACHABLE_STORE`` names, else the one at ``path``; None when there is neither, or it is "off".

        ``TEACHABLE_STORE_REFRESH=1`` makes a store that restores nothing and publishes all.
        """
        named = os.environ.get(ENVIRONMENT, "").strip() or str(path or "")
        if not named or named.lower() in (OFF, "0", "none", "false"):
            return None
        refresh = os.environ.get(ENVIRONMENT_REFRESH, "").strip().lower() not in ("", "0", "false", "no")
        return cls(Path(named).expanduser().absolute(), refresh=refresh)

    def restore(self, recipe: Recipe, outputs: Mapping[str, Path]) -> Restored:
        """Put the outputs of ``recipe`` in place, all or none.

        Every file is copied (or cloned) to a temporary name beside its target and hashed there; only when all are sound
        are they renamed. A damaged record or object goes to quarantine and is named in ``problems``.
        """
        if self.refresh:
            return Restored("refresh", recipe.key)
        started = time.monotonic()
        record, missed = self._load(recipe)
        if record is None:
            return self._note(missed, recipe.stage)
        missing = sorted(set(outputs) - set(record.outputs))
        if missing:
            return self._note(Restored("absent", recipe.key, 0, 0.0, (f"no output {missing[0]!r}",)), recipe.stage)
        size = 0
        with contextlib.ExitStack() as stack:
            ready: list[tuple[Path, Path]] = []
            for name, target in outputs.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.parent / f".{target.name}.{uuid.uuid4().hex[:12]}.restoring"
                stack.callback(remove, temporary)
                try:
                    size += self.objects.fetch(record.outputs[name].digest, temporary)
                except (CorruptObject, UnreachableObject) as error:
                    state = "corrupt" if isinstance(error, CorruptObject) else "absent"
                    problem = (f"output {name!r}: {error}",)
                    return self._note(Restored(state, recipe.key, 0, 0.0, problem), recipe.stage)
                ready.append((temporary, target))
            for temporary, target in ready:
                replace(temporary, target)
        taken, noted = time.monotonic() - started, record.meta.get("notes") or {}
        return self._note(Restored("restored", recipe.key, size, taken, notes=noted), recipe.stage)

    def publish(
        self, recipe: Recipe, outputs: Mapping[str, Path], meta: Mapping[str, Any] | None = None
    ) -> Record | None:
        """Store ``outputs`` under ``recipe``: objects first, the record last.

        When the recipe already has a record with other contents the stage is not deterministic: that is
        logged, the newer record stays, and ``meta["differs_from"]`` has the digests of the older. A store
        that is full or gone must not cost the caller what was just computed: that is logged as a warning, and
        None is returned.
        """
        try:
            stored = {name: Output(*self.objects.put(path)) for name, path in outputs.items()}
            about = {"host": os.uname().nodename, **recipe.notes, **(meta or {})}
            notes = {**about, **self._differing(recipe, stored)}
            record = Record(recipe, stored, notes, datetime.now(UTC).isoformat(timespec="seconds"))
            if self._of_other_format(recipe):
                raise StoreError("another version of this program has a record of it, which is kept")
            self.write(record)
        except (OSError, StoreError) as error:
            _log.warning("%s: not stored in %s: %s", recipe.stage, self.root, error)
            return None
        self._event({"event": "published", "stage": recipe.stage, "key": recipe.key, "bytes": record.size})
        return record

    def _differing(self, recipe: Recipe, stored: Mapping[str, Output]) -> dict[str, Any]:
        earlier, _ = self._load(recipe)
        if earlier is None:
            return {}
        old = {name: output.digest for name, output in earlier.outputs.items() if name in stored}
        old = {name: value for name, value in old.items() if value != stored[name].digest}
        if not old:
            return {}
        _log.warning("%s: the same recipe gave other bytes before (%s)", recipe.stage, ", ".join(sorted(old)))
        return {"differs_from": old}

    def _of_other_format(self, recipe: Recipe) -> bool:
        try:
            read_record(self._record_path(recipe))
        except OtherFormat:
            return True
        except (OSError, ValueError):
            return False
        return False

    def holds(self, recipe: Recipe) -> bool:
        """Whether there is a record for ``recipe``; its objects are not read."""
        return self.record(recipe) is not None

    def record(self, recipe: Recipe) -> Record | None:
        """The record for ``recipe``, if there is one; its objects are not read."""
        return self._load(recipe)[0]

    def write(self, record: Record) -> None:
        """Write a record whose objects are in place."""
        target = self._record_path(record.recipe)
        self.objects.make_directory(self.objects.temporary)
        temporary = self.objects.temporary / f"record-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(record.document(), file, indent=1, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o444)
            self.objects.make_directory(target.parent)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def digest(self, path: Path) -> str:
        """Digest of an input, remembered within this process for files that have not changed since.

        "Not changed" is same device, inode, size, modification and change time, of a file that was at rest
        for two seconds when it was read, so that two writes within one tick of the clock cannot pass for one.
        """
        if path.is_dir():
            return digest_of(path)
        try:
            before = path.stat()
        except FileNotFoundError:
            return digest_of(path)  # raises, with a message
        key = (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns)
        if key not in self._digests:
            value = digest_of(path)
            after = path.stat()
            same = key == (after.st_dev, after.st_ino, after.st_size, after.st_mtime_ns, after.st_ctime_ns)
            if not same or time.time_ns() - max(before.st_ctime_ns, before.st_mtime_ns) < 2_000_000_000:
                return value
            self._digests[key] = value
        return self._digests[key]

    def every_record(self, stage: str | None = None) -> Iterator[Record]:
        """Every readable record, of one stage or all; damaged ones are skipped (``verify`` reports them)."""
        for path in self.record_paths(stage):
            try:
                yield read_record(path)
            except (OSError, ValueError):
                continue

    def record_paths(self, stage: str | None = None) -> Iterator[Path]:
        yield from sorted(self.records.glob(f"{stage or '*'}/*.json"))

    def knows(self, stage: str) -> bool:
        """Whether there is any record of the stage, as far as this user may see; False while the store is away."""
        try:
            return next(self.record_paths(stage), None) is not None
        except OSError:
            return False

    def closed(self) -> list[Path]:
        """Directories of records that this user may not list: what they hold is not known."""
        found = []
        for directory in (self.records, *sorted(self.records.glob("*/"))):
            try:
                with os.scandir(directory):
                    pass
            except FileNotFoundError:
                continue
            except OSError:
                found.append(directory)
        return found

    def events(self) -> Iterator[dict[str, Any]]:
        """What happened in this store, in no order; torn lines, and files that cannot be read, are skipped."""
        for path in sorted((self.root / "events").glob("*.jsonl")):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            for line in text.splitlines():
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict):
                        yield event

    def _record_path(self, recipe: Recipe) -> Path:
        return self.records / recipe.stage / f"{recipe.key}.json"

    def _load(self, recipe: Recipe) -> tuple[Record | None, Restored]:
        """The record of a recipe, or what became of looking for it."""

        def missed(state: str, problem: str) -> tuple[None, Restored]:
            return None, Restored(state, recipe.key, problems=(f"record {recipe.key[:16]}{problem}",))

        path = self._record_path(recipe)
        try:
            record = read_record(path)
        except FileNotFoundError:
            return None, Restored("absent", recipe.key)
        except OSError as error:  # the store is out of reach; its files may be sound
            return missed("absent", f" cannot be read: {error}")
        except OtherFormat as error:  # of use to the program that wrote it
            return missed("absent", f": {error}")
        except ValueError as error:
            self.objects.isolate(path)
            return missed("corrupt", f": {error}")
        if record.key != recipe.key:
            self.objects.isolate(path)
            return missed("corrupt", ": holds another recipe")
        return record, Restored("restored", recipe.key)

    def _note(self, result: Restored, stage: str) -> Restored:
        if result.problems:
            _log.warning("%s: not restored from %s: %s", stage, self.root, "; ".join(result.problems))
        event = {"event": result.state, "stage": stage, "key": result.key, "bytes": result.size}
        if result.problems:
            event["problems"] = list(result.problems)
        self._event(event)
        return result

    def _event(self, event: dict[str, Any]) -> None:
        # bookkeeping must not stop a run; one file a process, so that no two writers share one on a network disk
        with contextlib.suppress(OSError):
            self.objects.make_directory(self._events.parent)
            with self._events.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"time": round(time.time(), 3), **event}, ensure_ascii=False) + "\n")


def read_record(path: Path) -> Record:
    """Raises ``ValueError`` for anything but a sound record, :class:`OtherFormat` for one of another program."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise ValueError("not a record")
    return Record.from_document(document)


def replace(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``, over a file or directory that may be there."""
    if source.is_dir() or target.is_dir():
        old = target.parent / f".{target.name}.{uuid.uuid4().hex[:12]}.replaced"
        with contextlib.suppress(FileNotFoundError):
            target.rename(old)
        try:
            source.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                old.rename(target)
            raise StoreError(f"cannot put {target} in place: {error}") from error
        remove(old)
    else:
        source.replace(target)
