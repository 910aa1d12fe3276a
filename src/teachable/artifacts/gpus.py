"""One GPU per stage on a machine without a batch system: lock files hand out the GPUs named in ``TEACHABLE_GPUS``.

A lock (``flock``) lives as long as the process that holds it, whatever ends the process, so no GPU stays
taken after a crash and nothing needs cleaning. Under SLURM the variable is not set and SLURM decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from teachable.errors import TeachableError

ENVIRONMENT = "TEACHABLE_GPUS"  # "all", or device numbers or UUIDs separated by commas; unset: leave devices alone
_POLL = 0.5  # seconds between looks for a free GPU


class GpuError(TeachableError):
    """GPUs were asked for that cannot be had."""


@contextlib.contextmanager
def reserve(count: int = 1, *, timeout: float | None = None, locks: Path | None = None) -> Iterator[tuple[str, ...]]:
    """Hold ``count`` GPUs and show this process no others, through ``CUDA_VISIBLE_DEVICES``.

    Must be entered before CUDA is. Gives the devices; none, and changes nothing, where ``TEACHABLE_GPUS`` is not set or
    ``count`` is 0. Waits while too few are free, for ``timeout`` seconds at most (default: without end).

    Raises:
        GpuError: ``count`` is more than there are, or the time is over.
    """
    devices = configured()
    if not devices or count == 0:
        yield ()
        return
    if count > len(devices):
        raise GpuError(f"{count} GPUs asked for, {ENVIRONMENT} has {len(devices)}: {','.join(devices)}")
    directory = locks or Path(tempfile.gettempdir()) / f"teachable-gpus-{os.getuid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = _take(devices, count, directory, timeout)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = tuple(held)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
    try:
        yield chosen
    finally:
        if before is None:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before
        for lock in held.values():
            lock.close()


def configured() -> tuple[str, ...]:
    """The devices that ``TEACHABLE_GPUS`` names. Raises :class:`GpuError` for "all" where they cannot be listed."""
    text = os.environ.get(ENVIRONMENT, "").strip()
    if text.lower() != "all":
        return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").strip()
    if visible:
        return tuple(name.strip() for name in visible.split(","))
    program = shutil.which("nvidia-smi")
    if program is None:
        raise GpuError(f"{ENVIRONMENT}=all, but there is no nvidia-smi to list them: name them, e.g. {ENVIRONMENT}=0,1")
    done = subprocess.run(
        [program, "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise GpuError(f"{ENVIRONMENT}=all, but nvidia-smi failed: {done.stderr.strip() or done.stdout.strip()}")
    return tuple(done.stdout.split())


def _take(devices: tuple[str, ...], count: int, directory: Path, timeout: float | None) -> dict[str, IO[str]]:
    ends = None if timeout is None else time.monotonic() + timeout
    told = False
    while True:
        held: dict[str, IO[str]] = {}
        for device in devices:
            lock = _try(directory / f"gpu-{re.sub(r'[^A-Za-z0-9.-]', '_', device)}.lock")
            if lock is not None:
                held[device] = lock
            if len(held) == count:
                return held
        for lock in held.values():  # holding some while waiting for more is how two waiters block each other
            lock.close()
        if ends is not None and time.monotonic() >= ends:
            raise GpuError(f"no {count} of the GPUs {','.join(devices)} came free within {timeout:g} s")
        if not told:
            print(f"waiting for {count} of the GPUs {','.join(devices)}", file=sys.stderr, flush=True)
            told = True
        time.sleep(_POLL)


def _try(path: Path) -> IO[str] | None:
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
