"""Several engines of one game, each left where it was: whoever goes to and fro need not play from the start each time.

Playing from the start costs a load (0.1 to 0.2 s) and the commands (10 to 20 ms each); an engine costs 3 MB of memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from teachable.worlds.scienceworld.engine import Engine


class Engines:
    """At most ``limit`` engines of the game of ``first``."""

    def __init__(self, first: Engine, limit: int = 8) -> None:
        self._all, self._limit = [first], limit  # the one used last at the end

    def bring(self, played: Sequence[str]) -> tuple[Engine, bool]:
        """An engine in the state after ``played``; whether that took playing from the start.

        The one that is nearest goes on, where one is on the way; else a new one, or the one not used for longest.
        """
        best = max(self._all, key=lambda engine: engine.along(played))
        if best.along(played) < 0:
            full = len(self._all) >= self._limit
            best = self._all[0] if full else self._all[0].another()
        self._all = [*(engine for engine in self._all if engine is not best), best]
        return best, best.bring(played)

    def close(self) -> None:
        """Let go of all; closing twice is harmless."""
        for engine in self._all:
            engine.close()
