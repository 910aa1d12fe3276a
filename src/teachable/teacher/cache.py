"""The request cache: what was paid for is on disk before anything else is done with it, and is never asked twice.

One file per answer, ``<cache>/answers/<2 hex>/<sha256 of the request>.json``, written under a temporary name,
synced and linked into place. Many processes on many machines may share a cache on NFS: the first answer to a
request wins, and later writers take it over. A file that is torn or was edited is noticed by its checksum,
put aside and asked again. Who asks holds a lock on the request's name, so that a stage that outlived its killed run and
the one that was started in its place do not both pay. Users may share one: what is written is open to whom the cache's
own directory is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from teachable.sharing import make_directory, share
from teachable.teacher.errors import TeacherError

log = logging.getLogger(__name__)

_LOOK = 0.2  # seconds between two looks whether another process is done


def request_key(request: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a request: model, endpoint, messages, schema, prompt version, attempt."""
    canonical = json.dumps(request, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class RequestCache:
    """Answers by the content of their request."""

    def __init__(self, directory: Path | str) -> None:
        self.root = Path(directory)
        self.directory = self.root / "answers"

    def path(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.json"

    def get(self, key: str) -> str | None:
        """The stored response body, or ``None``; a corrupt entry is put aside with a warning and counts as missing.

        Raises :class:`TeacherError` when there is an entry that may not be read.
        """
        path = self.path(key)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            self._put_aside(path, type(error).__name__)
            return None
        except OSError as error:  # no sign of damage: what was paid for stays where it is
            raise TeacherError(
                f"teacher cache: {path} cannot be read ({error.strerror or error}); give yourself permission, or name "
                "another directory in `teacher.cache`."
            ) from None
        body: object = None
        try:
            entry = json.loads(text)
            body = entry["response"]
            sound = isinstance(body, str) and entry["key"] == key and entry["sha256"] == _checksum(key, body)
        except (ValueError, KeyError, TypeError, RecursionError):
            sound = False
        if not sound:
            self._put_aside(path, "its checksum does not match")
            return None
        return str(body)

    def put(self, key: str, request: Mapping[str, Any], response: str) -> str:
        """Store a response body; returns the body now in the cache, another writer's when that one came first."""
        path = self.path(key)
        make_directory(path.parent, self.root)
        entry = {
            "key": key,
            "request": request,
            "response": response,
            "received": datetime.now(UTC).isoformat(timespec="seconds"),
            "sha256": _checksum(key, response),
        }
        temporary = path.with_name(f".{key[:12]}.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(entry, file, indent=1, sort_keys=True, ensure_ascii=True)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            share(temporary, self.root)
            try:
                os.link(temporary, path)
            except FileExistsError:
                first = self.get(key)
                if first is not None:
                    return first
                os.replace(temporary, path)
            except OSError:  # a file system without hard links
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return response

    @contextmanager
    def asking(self, key: str, wait: Callable[[float], object]) -> Iterator[None]:
        """Be the only process that asks ``key``; ``wait(seconds)`` passes the time while another one does.

        The lock is the kernel's and ends with its process. A file system without locks lets everybody in.
        """
        path = self.path(key).with_name(f".{key}.asking")
        make_directory(path.parent, self.root)
        while True:
            with _opened(path) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    wait(_LOOK)
                    continue
                except OSError:
                    pass
                if not _is(path, file.fileno()):  # the one before removed it when it was done
                    continue
                share(path, self.root)
                try:
                    yield
                finally:
                    with contextlib.suppress(
                        OSError
                    ):  # another user's, in a directory where one removes only one's own
                        path.unlink(missing_ok=True)
                return

    def put_aside(self, key: str, why: str) -> None:
        """Rename the entry of ``key``, so that it is kept and counts as missing."""
        self._put_aside(self.path(key), why)

    def _put_aside(self, path: Path, why: str) -> None:
        aside = path.with_name(f"{path.name}.corrupt-{uuid.uuid4().hex[:8]}")
        log.warning("teacher cache: %s is corrupt (%s); kept as %s and asked again", path, why, aside.name)
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            os.replace(path, aside)


def _opened(path: Path) -> BinaryIO:
    """The lock's file, made where it is not; for reading where another user made it, which locks as well."""
    try:
        return path.open("ab")
    except PermissionError:
        return path.open("rb")


def _is(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _checksum(key: str, body: str) -> str:
    return hashlib.sha256(f"{key}\n{body}".encode()).hexdigest()
