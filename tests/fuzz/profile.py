"""How many cases a fuzz test tries: few in CI, the promised number with ``make fuzz``.

``TEACHABLE_FUZZ=long`` is what ``make fuzz`` sets; ``TEACHABLE_FUZZ=0.1`` tries a tenth of the long counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

LONG = {"configuration": 10_000, "tables": 5_000, "archives": 1_000, "endpoints": 1_000}
SHORT = {"configuration": 150, "tables": 40, "archives": 60, "endpoints": 40}


def share() -> float:
    """Which part of the long counts is asked for; 0 in CI."""
    asked = os.environ.get("TEACHABLE_FUZZ", "")
    return 1.0 if asked == "long" else float(asked or 0)


def cases(kind: str, part: float = 1.0) -> Callable[[Any], Any]:
    """Decorator of a fuzz test: it gets ``part`` of the cases of its kind.

    In CI they are the same every time, so that a change is judged and not luck; the long run draws new ones, and
    prints how to repeat a case that fails.
    """
    long = share()
    count = LONG[kind] * long if long else SHORT[kind]
    return settings(
        max_examples=max(1, round(count * part)),
        deadline=None,
        derandomize=not long,
        database=None,
        print_blob=True,
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if long else [])],
        suppress_health_check=list(HealthCheck),
    )
