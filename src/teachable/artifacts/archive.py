"""A store, or a part of it, as one ZIP file: to hand to someone else, or to lay beside a paper."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from teachable.artifacts.objects import TREE, Entry, StoreError, decode_manifest
from teachable.artifacts.recipe import canonical_json
from teachable.artifacts.store import Record, Store

MANIFEST = "manifest.json"
FORMAT = 1
_CHUNK = 1 << 20
_LARGEST = 64 << 20  # bytes that a manifest, a record or a list of a directory may have: all are read whole
# What the zipfile module and a parser raise for bytes that are not what they should be.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ArithmeticError),
    *(ValueError, KeyError, IndexError, TypeError, AttributeError),
)


@dataclass(slots=True)
class Transfer:
    """What went out of a store or came into one."""

    records: int = 0
    objects: int = 0
    size: int = 0  # bytes, uncompressed
    problems: list[str] = field(default_factory=list)  # what was left out, and why


def export(store: Store, target: Path, keep: Callable[[Record], bool] = lambda record: True) -> Transfer:
    """Write the records that ``keep`` accepts, and their objects, to the ZIP file ``target``.

    Every object is verified on the way; a record with a damaged one is left out and listed. The file appears by rename.
    """
    done = Transfer()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    written: dict[str, int] = {}
    names: list[str] = []
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for record in store.every_record():
                if not keep(record):
                    continue
                try:
                    values = list(_verified(store, record))
                except StoreError as error:
                    done.problems.append(f"{record.recipe.stage}/{record.key[:16]}: {error}")
                    continue
                for value in values:
                    if value not in written:
                        path = store.objects.path(value)
                        archive.write(path, f"objects/{value[:2]}/{value[2:]}")
                        written[value] = path.stat().st_size
                name = f"records/{record.recipe.stage}/{record.key}.json"
                archive.writestr(name, json.dumps(record.document(), ensure_ascii=False))
                names.append(name)
            manifest = {"format": FORMAT, "records": sorted(names), "objects": written}
            archive.writestr(MANIFEST, canonical_json(manifest))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    done.records, done.objects, done.size = len(names), len(written), sum(written.values())
    return done


def _verified(store: Store, record: Record) -> list[str]:
    values: list[str] = []
    for output in record.outputs.values():
        store.objects.verify(output.digest)
        values.append(output.digest.removeprefix(TREE))
        if output.digest.startswith(TREE):
            values += [entry.digest for entry in store.objects.members(output.digest) if entry.digest]
    return list(dict.fromkeys(values))


def import_archive(store: Store, source: Path) -> Transfer:
    """Bring an exported ZIP file into ``store``.

    Every object is hashed before it gets its name, and a record comes in only when its key fits its recipe
    and all its objects are in the store and sound; what fails is left out and listed. Nothing is unpacked beyond the
    size that the archive's manifest declares for it, and nothing at all unless the disk has room for everything.

    Raises:
        StoreError: ``source`` is not such a file, is cut short or cannot be read, or the store's disk has no room.
    """
    done = Transfer()
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = json.loads(_read(archive, MANIFEST, _LARGEST))
            if manifest.get("format") != FORMAT:
                raise StoreError(f"{source}: archive format {manifest.get('format')!r}, this program reads {FORMAT}")
            sizes = {str(value): _size(value, size) for value, size in manifest["objects"].items()}
            _check_room(store, source, sum(sizes.values()))
            for value, size in sizes.items():
                _take_object(store, archive, value, size, done)
            for name in manifest["records"]:
                _take_record(store, archive, str(name), done)
    except OSError as error:
        raise StoreError(f"{source} cannot be imported: {error}") from error
    except _DAMAGE as error:
        raise StoreError(f"{source} is not a whole archive of a store: {_said(error)}") from error
    return done


def _size(value: str, size: object) -> int:
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"its manifest says that object {value[:16]} has {size!r} bytes")
    return size


def _check_room(store: Store, source: Path, size: int) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.root).free
    if size > free:
        raise StoreError(
            f"{source} unpacks to {size:,} bytes and {store.root} has {free:,} free: make room, or name a store on "
            "another disk with --store."
        )


def _chunks(archive: zipfile.ZipFile, name: str, most: int) -> Iterator[bytes]:
    """The bytes of a member, ``most`` at most: ValueError beyond that, and for what :func:`export` never writes.

    Only stored and deflated members are unpacked a piece at a time; the others' readers know no bound.
    """
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by method {info.compress_type}, which no store writes")
    size = 0
    with archive.open(info) as reader:
        while chunk := reader.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise ValueError(f"{name} has more than the {most:,} bytes that it may have")
            yield chunk


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    return b"".join(_chunks(archive, name, most))


def _take_object(store: Store, archive: zipfile.ZipFile, value: str, size: int, done: Transfer) -> None:
    store.objects.temporary.mkdir(parents=True, exist_ok=True)
    temporary = store.objects.temporary / f"import-{os.getpid()}-{uuid.uuid4().hex}"
    hasher = hashlib.sha256()
    try:
        with temporary.open("xb") as writer:
            for chunk in _chunks(archive, f"objects/{value[:2]}/{value[2:]}", size):
                hasher.update(chunk)
                writer.write(chunk)
        if hasher.hexdigest() != value:
            raise ValueError("its bytes are not what its name says")
        store.objects.put(temporary)
    except _DAMAGE as error:
        done.problems.append(f"object {value[:16]}: {_said(error)}")
        return
    finally:
        temporary.unlink(missing_ok=True)
    done.objects += 1
    done.size += size


def _take_record(store: Store, archive: zipfile.ZipFile, name: str, done: Transfer) -> None:
    try:
        record = Record.from_document(json.loads(_read(archive, name, _LARGEST)))
        for output in record.outputs.values():
            values = [output.digest]
            if output.digest.startswith(TREE):
                values += [entry.digest for entry in _members(store, output.digest) if entry.digest]
            for value in values:
                if not store.objects.path(value).is_file():
                    raise ValueError(f"object {value.removeprefix(TREE)[:16]} did not come with it")
    except _DAMAGE as error:
        done.problems.append(f"{name}: {_said(error)}")
        return
    store.write(record)
    done.records += 1


def _members(store: Store, digest: str) -> list[Entry]:
    """What a directory holds. Raises ValueError for an object that is no list of a directory, or is not there."""
    path = store.objects.path(digest)
    if not path.is_file():
        raise ValueError(f"object {digest.removeprefix(TREE)[:16]} did not come with it")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"object {digest.removeprefix(TREE)[:16]} is too large for the list of a directory")
    return decode_manifest(path.read_bytes())


def _said(error: BaseException) -> str:
    """What an exception says, on one line, or its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
