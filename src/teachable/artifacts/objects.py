"""Files and directories by content: digests, and the part of the store that holds bytes.

A file's digest is the SHA-256 of its bytes. A directory's is ``tree:`` and the SHA-256 of its manifest, a
canonical JSON list of relative paths, sizes and digests; Snakemake's own marks (``.snakemake*``) are left
out. Names, times and modes of the top level are not content.

Objects are written to a temporary name in the store and renamed, so that readers, other hosts on a network file system
and a killed writer never show half an object. Nothing is linked into a working directory: a touched output there must
not change the object, so files are cloned (``FICLONE``, where the file system can) or copied.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from teachable.artifacts.recipe import canonical_json
from teachable.errors import MissingInput, TeachableError
from teachable.sharing import make_directory

TREE = "tree:"
_FICLONE = 0x40049409
_CHUNK = 1 << 20


class StoreError(TeachableError):
    """The store cannot do what was asked: a bad location, an unstorable file, a damaged archive."""


class CorruptObject(StoreError):
    """An object's bytes are not what its name says, or it is gone."""

    def __init__(self, digest: str, reason: str) -> None:
        super().__init__(f"object {digest[:21]} {reason}")
        self.digest = digest
        self.reason = reason


class UnreachableObject(StoreError):
    """An object cannot be read for a reason that says nothing of its bytes: permissions, a file system that is away.

    It stays where it is.
    """


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a directory: a file, or an empty directory (``digest`` is "")."""

    path: str  # relative, "/"-separated
    digest: str
    size: int  # bytes


def digest(path: Path) -> str:
    """Digest of a file or directory. Raises :class:`MissingInput` when it is not there."""
    if path.is_dir():
        return TREE + hashlib.sha256(manifest(path)).hexdigest()
    try:
        return digest_file(path)[0]
    except FileNotFoundError as error:
        raise MissingInput(f"{path} is not there") from error


def digest_file(path: Path) -> tuple[str, int]:
    """SHA-256 of a file's bytes, and how many they are."""
    with path.open("rb") as file:
        value = hashlib.file_digest(file, "sha256").hexdigest()
        return value, file.tell()


def manifest(directory: Path) -> bytes:
    """The manifest of a directory, as bytes. Symbolic links to files count as the files they lead to."""
    return encode_manifest([_entry(path, name) for path, name in walk(directory)])


def encode_manifest(entries: list[Entry]) -> bytes:
    rows = [[entry.path, entry.digest, entry.size] for entry in sorted(entries, key=lambda entry: entry.path)]
    return canonical_json({"format": 1, "entries": rows}).encode()


def decode_manifest(data: bytes) -> list[Entry]:
    """Raises ``ValueError`` for anything but a manifest whose paths stay inside their directory."""
    document = json.loads(data)
    if not isinstance(document, dict) or document.get("format") != 1:
        raise ValueError("not a manifest of format 1")
    entries = [Entry(str(path), str(value), int(size)) for path, value, size in document["entries"]]
    for entry in entries:
        parts = PurePosixPath(entry.path).parts
        if not parts or entry.path.startswith("/") or ".." in parts or "\0" in entry.path:
            raise ValueError(f"unsafe path {entry.path!r}")
        if entry.digest and not is_digest(entry.digest):
            raise ValueError(f"not a digest: {entry.digest!r}")
    return entries


def is_digest(text: str) -> bool:
    """Whether ``text`` has the form of a digest of a file or of a directory."""
    digits = text.removeprefix(TREE)
    return len(digits) == 64 and all(character in "0123456789abcdef" for character in digits)


def walk(directory: Path) -> Iterator[tuple[Path, str]]:
    """Files and empty directories below ``directory`` with their relative names, without Snakemake's marks.

    Raises :class:`StoreError` for links to directories and for what is neither file nor directory.
    """

    def below(current: Path, prefix: str) -> Iterator[tuple[Path, str]]:
        for entry in sorted(os.scandir(current), key=lambda item: item.name):
            if entry.name.startswith(".snakemake"):
                continue
            path, name = Path(entry.path), prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                children = list(below(path, name + "/"))
                yield from children or [(path, name)]
            elif entry.is_file():
                yield path, name
            else:
                raise StoreError(f"{path} is neither a file nor a plain directory and cannot be stored")

    yield from below(directory, "")


def _entry(path: Path, name: str) -> Entry:
    if path.is_dir():
        return Entry(name, "", 0)
    value, size = digest_file(path)
    return Entry(name, value, size)


class Objects:
    """The objects below one directory: ``objects/ab/cdef...`` by SHA-256, temporary files in ``tmp``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "objects"
        self.temporary = root / "tmp"
        self.quarantine = root / "quarantine"

    def path(self, value: str) -> Path:
        """Where the object with this digest lies (for a directory: its manifest)."""
        digits = value.removeprefix(TREE)
        return self.directory / digits[:2] / digits[2:]

    def put(self, path: Path) -> tuple[str, int]:
        """Store a file or a directory; gives its digest and its size in bytes.

        What is already there under the digest is verified rather than believed, and replaced when it is damaged.
        """
        if not path.is_dir():
            return self._put_file(path)
        entries = []
        for member, name in walk(path):
            entries.append(Entry(name, "", 0) if member.is_dir() else Entry(name, *self._put_file(member)))
        return TREE + self.put_bytes(encode_manifest(entries)), sum(entry.size for entry in entries)

    def put_bytes(self, data: bytes) -> str:
        value = hashlib.sha256(data).hexdigest()
        if not self._sound(value, len(data)):
            with self._new() as temporary:
                temporary.write_bytes(data)
                self._commit(temporary, value)
        return value

    def fetch(self, value: str, target: Path) -> int:
        """Copy an object to ``target``, a name not in use, and verify the copy. Gives the size in bytes.

        Raises :class:`CorruptObject`, and the damaged object is then in quarantine, or :class:`UnreachableObject`;
        ``target`` is not there then.
        """
        try:
            if value.startswith(TREE):
                return self._fetch_tree(value, target)
            return self._fetch_file(value, target)
        except BaseException:
            remove(target)
            raise

    def verify(self, value: str) -> None:
        """Raise :class:`CorruptObject` unless the object, and for a directory every member, is sound.

        Raises :class:`UnreachableObject` where that cannot be known.
        """
        if value.startswith(TREE):
            for entry in self.members(value):
                if entry.digest:
                    self.verify(entry.digest)
            return
        try:
            found = digest_file(self.path(value))[0]
        except OSError as error:
            raise self._trouble(value, error) from error
        if found != value:
            raise self._corrupt(value, "has other bytes than its name says")

    def members(self, value: str) -> list[Entry]:
        """The manifest of a stored directory. Raises :class:`CorruptObject` or :class:`UnreachableObject`."""
        digits = value.removeprefix(TREE)
        try:
            data = self.path(value).read_bytes()
        except OSError as error:
            raise self._trouble(value, error) from error
        if hashlib.sha256(data).hexdigest() != digits:
            raise self._corrupt(value, "has other bytes than its name says")
        try:
            return decode_manifest(data)
        except (ValueError, KeyError, TypeError) as error:
            raise self._corrupt(value, f"is no manifest: {error}") from error

    def every(self) -> Iterator[tuple[str, Path]]:
        """Every object as (hex digits, path), of the shelves that can be listed."""
        for shelf in sorted(self.directory.glob("[0-9a-f][0-9a-f]")):
            with contextlib.suppress(OSError):
                for path in sorted(shelf.iterdir()):
                    if len(path.name) == 62:
                        yield shelf.name + path.name, path

    def discard(self, value: str, oldest: float) -> bool:
        """Remove an object last touched before ``oldest`` (seconds since the epoch); False when it is younger or gone.

        It is moved aside first: a writer that touches it from then on finds it missing and stores it anew, and one
        that has touched it before is seen here, and the object put back.
        """
        path, aside = self.path(value), self.temporary / f"discard-{uuid.uuid4().hex}"
        self.make_directory(self.temporary)
        try:
            if _touched(path) > oldest:
                return False
            path.rename(aside)
        except FileNotFoundError:
            return False
        if os.stat(aside).st_mtime > oldest:
            aside.rename(path)
            return False
        aside.unlink()
        return True

    def make_directory(self, directory: Path) -> None:
        """Make a directory of the store, open to whom the store's own directory is open."""
        make_directory(directory, self.root)

    def isolate(self, path: Path) -> None:
        """Move a damaged file of the store into quarantine; it is kept for inspection and never served.

        A store that is read-only or away keeps its damage, and still does not serve it.
        """
        with contextlib.suppress(OSError):
            self.make_directory(self.quarantine)
            path.replace(self.quarantine / f"{path.parent.name}-{path.name}.{uuid.uuid4().hex[:8]}")

    def _put_file(self, path: Path) -> tuple[str, int]:
        value, size = digest_file(path)
        if self._sound(value, size):
            return value, size
        with self._new() as temporary:
            clone_or_copy(path, temporary)
            written, size = digest_file(temporary)  # of the copy: the source may still be changing
            if written != value:
                raise StoreError(f"{path} changed while it was being stored; is another process writing it?")
            self._commit(temporary, value)
        return value, size

    def _sound(self, value: str, size: int) -> bool:
        path = self.path(value)
        try:
            if path.stat().st_size == size and digest_file(path)[0] == value:
                with contextlib.suppress(PermissionError):
                    os.utime(path)  # young again, so that no collection takes it before it is named
                return True
        except FileNotFoundError:
            return False
        self.isolate(path)
        return False

    @contextlib.contextmanager
    def _new(self) -> Iterator[Path]:
        self.make_directory(self.temporary)
        path = self.temporary / f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _commit(self, temporary: Path, value: str) -> None:
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o444)
        target = self.path(value)
        self.make_directory(target.parent)
        temporary.replace(target)

    def _fetch_file(self, value: str, target: Path) -> int:
        try:
            reader = self.path(value).open("rb")
        except OSError as error:
            raise self._trouble(value, error) from error
        with reader, target.open("xb") as writer:
            if not _cloned(reader, writer):
                for chunk in self._chunks(value, reader):
                    writer.write(chunk)
        found, size = digest_file(target)
        if found != value:
            raise self._corrupt(value, "has other bytes than its name says")
        return size

    def _chunks(self, value: str, reader: BinaryIO) -> Iterator[bytes]:
        """What ``reader`` holds; trouble with it is the store's, and no trouble of who writes it elsewhere."""
        try:
            while chunk := reader.read(_CHUNK):
                yield chunk
        except OSError as error:
            raise self._trouble(value, error) from error

    def _fetch_tree(self, value: str, target: Path) -> int:
        total = 0
        target.mkdir()
        for entry in self.members(value):
            member = target / entry.path
            if entry.digest:
                member.parent.mkdir(parents=True, exist_ok=True)
                total += self._fetch_file(entry.digest, member)
            else:
                member.mkdir(parents=True, exist_ok=True)
        return total

    def _trouble(self, value: str, error: OSError) -> StoreError:
        """What it means that an object cannot be read: it is gone, or out of reach, which says nothing of its bytes (a
        broken disk gives the same EIO as a server that is away)."""
        if isinstance(error, FileNotFoundError):
            return self._corrupt(value, _reason(error))
        return UnreachableObject(f"object {value[:21]} {_reason(error)}; it may be sound and stays where it is")

    def _corrupt(self, value: str, reason: str) -> CorruptObject:
        self.isolate(self.path(value))
        return CorruptObject(value, reason)


def _touched(path: Path) -> float:
    status = path.stat()
    return max(status.st_mtime, status.st_ctime)


def clone_or_copy(source: Path, target: Path) -> None:
    """Write the bytes of ``source`` to the new file ``target``, sharing blocks where the file system can."""
    with source.open("rb") as reader, target.open("xb") as writer:
        if not _cloned(reader, writer):
            shutil.copyfileobj(reader, writer, _CHUNK)


def _cloned(reader: BinaryIO, writer: BinaryIO) -> bool:
    try:
        fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
    except OSError:
        return False
    return True


def remove(path: Path) -> None:
    """Remove a file, a directory or nothing."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    else:
        path.unlink()


def _reason(error: OSError) -> str:
    return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
