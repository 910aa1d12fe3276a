"""A store, or a part of it, as one ZIP file: to hand to someone else, or to lay beside a paper."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from teachable.artifacts.objects import TREE, StoreError, decode_manifest
from teachable.artifacts.recipe import canonical_json
from teachable.artifacts.store import Record, Store

MANIFEST = "manifest.json"
FORMAT = 1
_CHUNK = 1 << 20


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
    and all its objects are in the store and sound; what fails is left out and listed.

    Raises:
        StoreError: ``source`` is not such a file, or is cut short.
    """
    done = Transfer()
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            if manifest.get("format") != FORMAT:
                raise StoreError(f"{source}: archive format {manifest.get('format')!r}, this program reads {FORMAT}")
            for value in manifest["objects"]:
                _take_object(store, archive, str(value), done)
            for name in manifest["records"]:
                _take_record(store, archive, str(name), done)
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{source} is not a whole archive of a store: {error}") from error
    return done


def _take_object(store: Store, archive: zipfile.ZipFile, value: str, done: Transfer) -> None:
    store.objects.temporary.mkdir(parents=True, exist_ok=True)
    temporary = store.objects.temporary / f"import-{os.getpid()}-{uuid.uuid4().hex}"
    hasher, size = hashlib.sha256(), 0
    try:
        with archive.open(f"objects/{value[:2]}/{value[2:]}") as reader, temporary.open("xb") as writer:
            while chunk := reader.read(_CHUNK):
                hasher.update(chunk)
                writer.write(chunk)
                size += len(chunk)
        if hasher.hexdigest() != value:
            raise ValueError("its bytes are not what its name says")
        store.objects.put(temporary)
    except (KeyError, ValueError, zipfile.BadZipFile, OSError) as error:
        done.problems.append(f"object {value[:16]}: {error}")
        return
    finally:
        temporary.unlink(missing_ok=True)
    done.objects += 1
    done.size += size


def _take_record(store: Store, archive: zipfile.ZipFile, name: str, done: Transfer) -> None:
    try:
        record = Record.from_document(json.loads(archive.read(name)))
        for output in record.outputs.values():
            values = [output.digest]
            if output.digest.startswith(TREE):
                manifest = store.objects.path(output.digest)
                values += [entry.digest for entry in decode_manifest(manifest.read_bytes()) if entry.digest]
            for value in values:
                if not store.objects.path(value).is_file():
                    raise ValueError(f"object {value.removeprefix(TREE)[:16]} did not come with it")
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        done.problems.append(f"{name}: {error}")
        return
    store.write(record)
    done.records += 1
