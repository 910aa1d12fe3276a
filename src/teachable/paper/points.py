"""Which snapshot a point of a figure is, kept in the PNG itself, so that the report can lead from a point to its page.

Coordinates are shares of the picture's width and height from its upper left corner.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

CHUNK = b"snPt"  # a private part of a PNG that other programs pass over
MOST = 5_000  # points of a figure that are kept; of one with more none is, for nobody could hit one
_MARK = "snapshots"
_BEHIND_HEADER = 33  # bytes of a PNG's signature and header


class Point(NamedTuple):
    """One point: the snapshot and where it lies."""

    snapshot: str
    x: float
    y: float


def mark(points: PathCollection, snapshots: Sequence[str]) -> None:
    """Say which snapshots a figure's ``points`` are, in their order."""
    if len(points.get_offsets()) == len(snapshots):  # type: ignore[arg-type]
        points.set_gid(_MARK)
        points.set_urls(list(snapshots))


def kept(picture: bytes, figure: Figure) -> bytes:
    """The PNG ``picture``, just drawn of ``figure``, with what it knows of its points; as it is where none is marked,
    or too many are."""
    marked = [one for axes in figure.axes for one in axes.collections if one.get_gid() == _MARK]
    if not marked or sum(len(one.get_urls()) for one in marked) > MOST:
        return picture
    width, height = figure.bbox.size
    found = [
        (snapshot, round(float(x) / width, 5), round(1 - float(y) / height, 5))
        for one in marked
        for snapshot, (x, y) in zip(
            one.get_urls(), one.get_offset_transform().transform(one.get_offsets()), strict=True
        )
    ]
    body = CHUNK + zlib.compress(json.dumps(found).encode(), 9)
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return picture[:_BEHIND_HEADER] + chunk + picture[_BEHIND_HEADER:]


def read(picture: bytes) -> list[Point]:
    """The points that a PNG knows of; none where it says nothing of any, or nothing that can be read."""
    place = 8
    while place + 12 <= len(picture):
        length, kind = int.from_bytes(picture[place : place + 4], "big"), picture[place + 4 : place + 8]
        body = picture[place + 8 : place + 8 + length]
        if kind == CHUNK:
            try:
                found = json.loads(zlib.decompress(body))
                return [Point(str(name), float(x), float(y)) for name, x, y in found]
            except (zlib.error, ValueError, TypeError):
                return []
        place += 12 + length
    return []
