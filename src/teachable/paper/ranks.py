"""An axis spaced by rank: where many points lie at one end, the values there get the room that they fill.

A place on it is the share of the values below, equal values in the middle of the places that they take up; labels
still say the values themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from teachable.paper.inputs import number

SPACED = "spaced by rank"


class Ranked:
    """The places of ``values`` [N], finite and at least one, from 0 to 1."""

    def __init__(self, values: ArrayLike) -> None:
        self._known, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
        self._places = (np.cumsum(counts) - counts / 2) / counts.sum()

    def place(self, value: ArrayLike) -> NDArray[np.float64]:
        """Places of ``value``, of any shape: between two of the values in proportion, beyond them at the end."""
        asked = np.asarray(value, dtype=np.float64)
        within = np.interp(asked, self._known, self._places)
        return np.where(asked < self._known[0], 0.0, np.where(asked > self._known[-1], 1.0, within))

    def ticks(self, gap: float, digits: int = 2) -> tuple[list[float], list[str]]:
        """Places at least ``gap`` apart, and the values there as ``digits`` can say them: quantiles, rounded."""
        found: dict[str, float] = {}
        for value in (float(self._known[0]), float(self._known[-1]), *self._quantiles()):
            rounded = round(value, digits)
            place = float(self.place(rounded))
            text = number(rounded, digits)
            if text not in found and all(abs(place - other) >= gap for other in found.values()):
                found[text] = place
        return list(found.values()), list(found)

    def _quantiles(self) -> list[float]:
        shares = (0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875)
        return [float(np.interp(share, self._places, self._known)) for share in shares]


def label(axes: Axes, ranked: Ranked, text: str, axis: str = "x", *, gap: float = 0.11) -> None:
    """The ticks of ``ranked`` and ``text`` on one axis of ``axes``, which says how it is spaced."""
    places, names = ranked.ticks(gap)
    said: dict[str, Any] = {f"{axis}ticks": places, f"{axis}label": f"{text}, {SPACED}"}
    axes.set(**said)
    (axes.xaxis if axis == "x" else axes.yaxis).set_ticks(places, names)


def limits(room: Sequence[float]) -> tuple[float, float]:
    """Ends of such an axis with ``room`` (shares of it) before its first and behind its last place."""
    return -room[0], 1 + room[1]
