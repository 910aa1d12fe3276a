"""The Z-machine under a session: one game file, text in, text out, and memory images.

The interpreter (frotz, through Jericho) is a C library inside this process and ends the process on a file it cannot read.
So the file's own length and checksum are verified before it is loaded.
"""

from __future__ import annotations

import re
import struct
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jericho
import numpy as np

from teachable.worlds.base import EngineFault, WorldError

_SERIAL = slice(0x12, 0x18)  # six characters in the header of a story file: the date of compilation
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


def check_story(path: Path) -> None:
    """Raise :class:`EngineFault` unless the file is a whole version 8 story (length and checksum of its header)."""
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
        raise EngineFault(
            f"game file {path} is damaged (checksum {total:04x}, expected {expected:04x}): {remedy}"
        )


def without_date(data: bytes) -> bytes:
    """A story file whose compilation date is set to zeros, so that the same game gives the same bytes on any day."""
    story = bytearray(data)
    story[_SERIAL] = b"000000"  # outside the range of the checksum
    return bytes(story)


class Engine:
    """One running story."""

    def __init__(self, path: Path, limit_s: float = 30.0) -> None:
        check_story(path)
        self._path, self._limit = path, limit_s
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the game is not in Jericho's list of supported games
                self._frotz: Any = jericho.FrotzEnv(str(path), seed=1234)
                banner, _ = self._frotz.reset()
        except Exception as error:  # whatever the native library raises is the engine's trouble
            raise EngineFault(f"the engine cannot start {path}: {type(error).__name__}: {error}") from error
        self.banner: str = banner
        self.send("tw-trace-actions")  # from now on the engine says which actions succeed

    def send(self, command: str) -> Reply:
        """Play one command. Raises :class:`EngineFault` when the answer is not that of a running game."""
        if self._frotz is None:
            raise EngineFault(f"the engine of {self._path} has been closed.")
        began = time.monotonic()
        try:
            raw, _, _, _ = self._frotz.step(command)
        except Exception as error:
            raise EngineFault(
                f"the engine of {self._path} failed on {command!r}: {type(error).__name__}: {error}"
            ) from error
        if time.monotonic() - began > self._limit:
            raise EngineFault(f"the engine of {self._path} took more than {self._limit:g} s for {command!r}.")
        return self._parse(raw, command)

    def _parse(self, raw: str, command: str) -> Reply:
        status = _STATUS.search(raw)
        if status is None:
            raise EngineFault(
                f"the engine of {self._path} answered {command!r} with no prompt: {raw[-200:]!r}"
            )
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

    def save(self) -> Any:
        """An image of the machine's memory (about 40 kB), valid for this story."""
        return self._frotz.get_state()

    def restore(self, image: Any) -> None:
        """Put an image back."""
        if self._frotz is None:
            raise EngineFault(f"the engine of {self._path} has been closed.")
        self._frotz.set_state(image)

    def close(self) -> None:
        """Free the machine."""
        self._frotz = None


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
