"""The Z-machine under a session: one game file, text in, text out, and memory images.

The machine runs in another process (see :mod:`teachable.worlds.textworld.host`). A story file's own length
and checksum are verified before it is loaded, so that damage is reported as what it is.
"""

from __future__ import annotations

import atexit
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from teachable.worlds.base import EngineFault, WorldError
from teachable.worlds.textworld import host
from teachable.worlds.textworld.process import environment

_SERIAL = slice(0x12, 0x18)  # six characters in the header of a story file, by custom the date of compilation
_STATUS = re.compile(r">\s*-= (?P<room>.*?) =-(?P<score>-?\d+)/(?P<turns>\d+)\s*\Z")
_QUESTION = re.compile(r"Would you like to RESTART.*\Z", re.DOTALL)
_SCORED = re.compile(r"You scored (-?\d+)(?: out of a possible -?\d+| point| points)?[^\n]*")
_TAG = re.compile(r"\[([^\]]+)\]\n?")
_SUCCEEDED = " - succeeded"
WON, LOST = "*** The End ***", "*** You lost! ***"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the engine answered to one command."""

    text: str  # for the player: no status line, no trace, no turn count
    events: tuple[str, ...]  # actions that the trace reports as succeeded, in order
    room: str  # title of the room in the status line
    score: int
    won: bool
    lost: bool


def check_story(path: Path, digest: str | None = None) -> None:
    """Raise :class:`EngineFault` unless the file is a whole version 8 story.

    Its header has its length and checksum. With ``digest`` it must also be the story stamped with that.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise WorldError(f"game file {path} is missing: run the stage that makes the games again.") from None
    except OSError as error:
        raise EngineFault(f"game file {path} cannot be read: {error}") from error
    remedy = "delete it and run the stage that makes the games again."
    if len(data) < 64 or data[0] != 8:
        raise EngineFault(f"game file {path} is not a version 8 story file: {remedy}")
    length = struct.unpack(">H", data[0x1A:0x1C])[0] * 8
    expected = struct.unpack(">H", data[0x1C:0x1E])[0]
    if length > len(data):
        raise EngineFault(f"game file {path} is torn ({len(data)} of {length} bytes): {remedy}")
    total = int(np.frombuffer(data, dtype=np.uint8)[0x40:length].sum(dtype=np.int64)) & 0xFFFF
    if total != expected:
        raise EngineFault(f"game file {path} is damaged (checksum {total:04x}, expected {expected:04x}): {remedy}")
    if digest is not None and data[_SERIAL] != digest[:6].encode():
        raise EngineFault(f"game file {path} does not belong to the .json beside it: {remedy}")


def stamped(data: bytes, digest: str) -> bytes:
    """A story file with the start of its game's digest where the compiler put the date.

    So the same game gives the same bytes on any day, and a story can be told from another's.
    """
    story = bytearray(data)
    story[_SERIAL] = digest[:6].encode()  # outside the range of the checksum
    return bytes(story)


class _Host:
    """The process that runs this process's machines; started on first use."""

    _current: _Host | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", host.__name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"),
            )
        atexit.register(self.close)

    @classmethod
    def connect(cls) -> socket.socket:
        """A socket to a new machine. A host that has died is replaced."""
        with cls._lock:
            for attempt in (1, 2):
                if cls._current is None or cls._current.pid != os.getpid():
                    cls._current = cls()
                ours, theirs = socket.socketpair()
                try:
                    with theirs:
                        socket.send_fds(cls._current.control, [b"+"], [theirs.fileno()])
                    return ours
                except OSError:
                    ours.close()
                    cls._current.close()
                    cls._current = None
                    if attempt == 2:
                        raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let the host end; its machines end with their own sockets."""
        if self.pid == os.getpid():
            self.control.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Engine:
    """One running story, in a process of its own: its crash or hang is an :class:`EngineFault`, never ours.

    ``limit_s`` is the longest a single turn may take, in seconds (the usual is 0.003).
    """

    def __init__(self, path: Path, limit_s: float = 20.0, digest: str | None = None) -> None:
        check_story(path, digest)
        self._path, self._limit = path, limit_s
        self._connection: socket.socket | None = None
        try:
            self._connection = _Host.connect()
            self._connection.settimeout(limit_s + 10)
        except OSError as error:
            raise EngineFault(f"the process that runs the engines cannot be reached: {error}") from error
        request = struct.pack(">d", limit_s) + str(path.resolve()).encode()
        self.banner = self._call(host.OPEN, request, "the start").decode()
        self.send("tw-trace-actions")  # from now on the engine says which actions succeed

    def send(self, command: str) -> Reply:
        """Play one command. Raises :class:`EngineFault` when the answer is not that of a running game."""
        return self._parse(self._call(host.SEND, command.encode(), repr(command)).decode(), command)

    def _call(self, kind: bytes, payload: bytes, what: str) -> bytes:
        if self._connection is None:
            raise EngineFault(f"the engine of {self._path} has been closed.")
        began = time.monotonic()
        try:
            host.send(self._connection, kind, payload)
            answer, data = host.receive(self._connection)
        except (OSError, EOFError) as error:
            self.close()
            if time.monotonic() - began >= self._limit:
                trouble = f"took more than {self._limit:g} s for {what} and was stopped"
            else:
                trouble = f"ended unexpectedly at {what}"
            raise EngineFault(f"the engine of {self._path} {trouble}.") from error
        if answer == host.ERROR:
            self.close()
            raise EngineFault(f"the engine of {self._path} failed at {what}: {data.decode()}")
        return data

    def _parse(self, raw: str, command: str) -> Reply:
        status = _STATUS.search(raw)
        if status is None:
            raise EngineFault(f"the engine of {self._path} answered {command!r} with no prompt: {raw[-200:]!r}")
        text = raw[: status.start()]
        tags = [tag for tag in _TAG.findall(text) if "(" not in tag and ")" not in tag]
        text = _QUESTION.sub("", _TAG.sub("", text))
        won, lost = WON in text, LOST in text
        final = _SCORED.search(text) if won or lost else None
        score = int(final.group(1)) if final else int(status["score"])
        return Reply(
            text=tidy(_SCORED.sub("", text) if final else text),
            events=tuple(tag.removesuffix(_SUCCEEDED) for tag in tags if tag.endswith(_SUCCEEDED)),
            room=status["room"],
            score=score,
            won=won,
            lost=lost,
        )

    def save(self) -> bytes:
        """An image of the machine's memory (about 40 kB), valid for any engine of this story."""
        return self._call(host.SAVE, b"", "saving")

    def restore(self, image: bytes) -> None:
        """Put an image back."""
        self._call(host.RESTORE, image, "restoring")

    def close(self) -> None:
        """End the machine; closing twice is harmless."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            self.close()


def opening(banner: str) -> str:
    """The room description at the end of the text a game starts with."""
    status = _STATUS.search(banner)
    text = banner[: status.start()] if status else banner
    start = text.find("-= ")
    if start < 0:
        raise EngineFault("the game does not start with the description of a room.")
    return tidy(text[start:])


def tidy(text: str) -> str:
    """Text without indentation, trailing blanks and runs of empty lines."""
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
