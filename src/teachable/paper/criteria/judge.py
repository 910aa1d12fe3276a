"""What a criterion is: an estimate, a threshold, a verdict, and what to do where it fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from teachable.paper.inputs import Data, Interval, PaperError, intervals, number

Verdict = tuple[Interval | float, bool]
PLACEBO = 0.05  # absolute mean gain of a content-free patch that still counts as none
# A maximum over three formats is above 0 where patches only scatter, and more so where more can be lost or won.
BOTH = "interval above 0, and that of the mean over formats"
GE, LE = "\N{GREATER-THAN OR EQUAL TO}", "\N{LESS-THAN OR EQUAL TO}"


class Judge:
    """Collects entries, and which figure or table shows each; a criterion is a function that returns its estimate and
    whether it holds."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.entries: list[dict[str, Any]] = []
        self.shown: dict[str, str] = {}

    def criterion(
        self,
        name: str,
        hypothesis: str,
        text: str,
        threshold: str,
        advice: str,
        *,
        shown: str,
        null: float | None = None,
    ) -> Callable[[Callable[[], Verdict]], None]:
        """Decorates the function that measures the criterion; it is called at once.

        ``shown`` is the figure or table in which it is seen, as the report's anchors call them: ``fig-h1_1``.
        ``null`` is the value that more is better than: where the criterion fails, the advice then opens with
        what the study could have seen (:func:`explain`).
        """
        entry: dict[str, Any] = {
            "id": name,
            "hypothesis": hypothesis,
            "name": text,
            **dict.fromkeys(("value", "low", "high", "mde", "n", "games")),
            "threshold": threshold,
            "passed": None,
            "advice": "",
        }
        self.entries.append(entry)
        self.shown[name] = shown

        def judged(measure: Callable[[], Verdict]) -> None:
            try:
                value, passed = measure()
            except PaperError as error:
                entry["advice"] = f"Not measurable: {error}"
                return
            if isinstance(value, Interval):
                entry.update(value=value.point, low=finite(value.low), high=finite(value.high))
                entry.update(n=value.n, games=value.clusters, mde=finite(value.detectable))
            else:
                entry["value"] = float(value)
            said = f"{explain(value, null)} " if null is not None and isinstance(value, Interval) else ""
            entry.update(passed=bool(passed), advice="" if passed else said + advice)

        return judged


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def explain(value: Interval, null: float) -> str:
    """What a criterion that did not hold says about the truth: another effect, or a study too small to see one."""
    if not math.isfinite(value.low):
        return f"There is no interval for {number(value.point)} (too few games): nothing can be said."
    if value.high < null:
        return f"The opposite was seen: {value.text()}."
    if value.low > null:
        return f"An effect was seen, but less than is asked for: {value.text()}."
    seen = number(value.detectable)
    away = "" if null == 0 else f" from {number(null)}"
    return f"No effect was seen ({value.text()}); one of {seen} or more{away} would have been seen with 80 % power."


def one(data: Data, name: str, **conditions: Any) -> Interval:
    """The only stored estimate under ``conditions``."""
    column = next(iter(conditions))
    found = intervals(data, name, column, **conditions)
    return next(iter(found.values()))


def turned(value: Interval) -> Interval:
    """The same difference the other way round."""
    return Interval(-value.point, -value.high, -value.low, value.n, value.clusters, value.mde)
