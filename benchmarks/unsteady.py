"""A directory that behaves as one on a bad network: a FUSE file system over another directory.

    python benchmarks/unsteady.py BELOW MOUNTPOINT [--away FILE] [--seed 1]

* What one process makes, by creating, renaming or linking, others see only after ``LATE`` seconds (attribute caches).
* One call in ``STALE`` fails with ESTALE, one rename into another directory in ``ACROSS`` with EXDEV.
* While the file ``--away`` is there every call fails with the error number in it (EIO): the server is gone.

It counts what it did and writes the counts beside BELOW, as ``<BELOW>.counts.json``, when it is unmounted. Needs
``pip install mfusepy``, libfuse (``apt-get install fuse3``) and the right to mount.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mfusepy as fuse

LATE = 0.5  # seconds
STALE = 200  # calls
ACROSS = 5  # renames


def process() -> int:
    """The process that calls; FUSE names its thread."""
    try:
        lines = Path(f"/proc/{fuse.fuse_get_context()[2]}/status").read_text().splitlines()
    except OSError:  # it is gone
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Tgid:"))


class Unsteady(fuse.Operations):  # type: ignore[misc]  # the library has no types
    use_ns = True

    def __init__(self, below: Path, away: Path | None, seed: int) -> None:
        self.below, self.away = below, away
        self.counts: Counter[str] = Counter()
        self.random = random.Random(seed)
        self.young: dict[str, tuple[float, int]] = {}  # path -> (until when only its maker sees it, the maker)
        self.guard = threading.Lock()

    def real(self, path: str) -> str:
        return str(self.below) + path

    @contextmanager
    def call(self, path: str, *, hidden: bool = True) -> Iterator[str]:
        """The real path, unless this call is to fail."""
        with self.guard:
            self.counts["calls"] += 1
            if number := self._gone():
                self._fail("away", number)
            if path != "/" and self.random.randrange(STALE) == 0:
                self._fail("stale", errno.ESTALE)
            if hidden and self._unseen(path):
                self._fail("unseen", errno.ENOENT)
        yield self.real(path)

    def _gone(self) -> int:
        """The error of a server that is away; 0 while it is there."""
        with contextlib.suppress(OSError, ValueError):
            return int(self.away.read_text() or errno.EIO) if self.away else 0
        return 0

    def _fail(self, name: str, number: int) -> None:
        self.counts[name] += 1
        raise fuse.FuseOSError(number)

    def _unseen(self, path: str) -> bool:
        until, maker = self.young.get(path, (0.0, 0))
        if until and time.monotonic() > until:
            del self.young[path]
            return False
        return bool(until) and process() != maker

    def _made(self, path: str) -> None:
        with self.guard:
            self.young[path] = (time.monotonic() + LATE, process())

    def access(self, path: str, amode: int) -> int:
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        with self.call(path) as real:
            found = os.lstat(real)
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")
        times = {f"st_{kind}time": getattr(found, f"st_{kind}time_ns") for kind in "amc"}
        return {**{name: getattr(found, name) for name in names}, **times}

    def readdir(self, path: str, fh: int) -> list[str]:
        with self.call(path) as real:
            names = os.listdir(real)
        with self.guard:
            return [".", "..", *(name for name in names if not self._unseen(f"{path.rstrip('/')}/{name}"))]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        with self.call(path, hidden=False) as real:
            made = os.open(real, os.O_RDWR | os.O_CREAT, mode)
        self._made(path)
        return made

    def mkdir(self, path: str, mode: int) -> int:
        with self.call(path, hidden=False) as real:
            os.mkdir(real, mode)
        return 0  # directories are looked up by so many that hiding them tests little else

    def open(self, path: str, flags: int) -> int:
        with self.call(path) as real:
            return os.open(real, flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        with self.call(path):
            return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self.call(path):
            return os.pwrite(fh, data, offset)

    def rename(self, old: str, new: str) -> int:
        with self.call(old) as real:
            if os.path.dirname(old) != os.path.dirname(new) and self.random.randrange(ACROSS) == 0:
                self._fail("across", errno.EXDEV)
            os.rename(real, self.real(new))
        self._made(new)
        return 0

    def link(self, target: str, source: str) -> int:
        with self.call(source) as real:
            os.link(real, self.real(target))
        self._made(target)
        return 0

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        with self.call(path) as real:
            os.truncate(real, length)
        return 0

    def unlink(self, path: str) -> int:
        with self.call(path) as real:
            os.unlink(real)
        return 0

    def rmdir(self, path: str) -> int:
        with self.call(path) as real:
            os.rmdir(real)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        with self.call(path) as real:
            os.chmod(real, mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        with self.call(path) as real:
            os.chown(real, uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        with self.call(path) as real:
            os.utime(real, ns=times)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        os.fsync(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self.below)
        return {name: getattr(found, name) for name in dir(found) if name.startswith("f_") and name != "f_fsid"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("below", type=Path)
    parser.add_argument("mountpoint", type=Path)
    parser.add_argument("--away", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    made = Unsteady(given.below.resolve(), given.away, given.seed)
    caches = {"entry_timeout": 0, "attr_timeout": 0, "negative_timeout": 0}
    fuse.FUSE(made, str(given.mountpoint), foreground=True, **caches)
    Path(f"{given.below}.counts.json").write_text(json.dumps(dict(made.counts), sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
