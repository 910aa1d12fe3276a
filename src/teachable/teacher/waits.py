"""How long a busy server asks to wait: in headers, or in the words of its refusal."""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

_FIRST_WAIT, _WAIT_CAP = 1.0, 60.0  # seconds; doubles with every attempt, up to a quarter less at random
_LEAST = 0.1  # of that, even where a server asks for less, and is busy again each time
_UNITS = {"ms": 1e-3, "milli": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h|d)")
_AMOUNT = r"\d+(?:\.\d+)?\s*(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)\b"
_SAID = re.compile(
    rf"(?:try|retry|retrying|available|wait)\w*\b[^.\d]{{0,30}}?((?:{_AMOUNT}\s*(?:,|and)?\s*|(?:\d+(?:\.\d+)?(?:ms|[smhd]))+)+)",
    re.IGNORECASE,
)
_DELAY = re.compile(r'"?retry_?delay"?\s*[:=]\s*"?(\d+(?:\.\d+)?)s', re.IGNORECASE)  # Google's RetryInfo
_RESETS = ("x-ratelimit-reset", "ratelimit-reset")
_KINDS = ("requests", "tokens")


def backoff(tried: int) -> float:
    """Seconds to wait after ``tried`` earlier waits where the server says nothing."""
    return min(_FIRST_WAIT * 2.0 ** min(tried, 10), _WAIT_CAP) * (1 - 0.25 * random.random())


def at_least(stated: float, tried: int) -> float:
    """``stated``, but not so little that a server that is always busy is asked without a pause."""
    return max(stated, _LEAST * backoff(tried)) if tried else stated


def stated(headers: Mapping[str, str], text: str, *, busy: bool) -> float | None:
    """Seconds that a response asks to wait; ``None`` where it does not say.

    `retry-after-ms` and `Retry-After` come first, then the words ("try again in 1m30s"), then, of a server that is
    ``busy`` (others send them with every response), when the limit that is used up is reset.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        seconds = _moment(headers.get(name), unit)
        if seconds is not None:
            return seconds
    if delay := _DELAY.search(text):
        return float(delay[1])
    if said := _SAID.search(text):
        return _duration(said[1])
    return _reset(headers) if busy else None


def _reset(headers: Mapping[str, str]) -> float | None:
    used_up, unknown = [], []
    for kind in _KINDS:
        seconds = _moment(headers.get(f"x-ratelimit-reset-{kind}"))
        if seconds is None:
            seconds = _moment(headers.get(f"anthropic-ratelimit-{kind}-reset"))
        if seconds is None:
            continue
        left = headers.get(f"x-ratelimit-remaining-{kind}", headers.get(f"anthropic-ratelimit-{kind}-remaining"))
        if left is None:
            unknown.append(seconds)
        elif left.strip() in ("0", "0.0"):
            used_up.append(seconds)
    if used_up:
        return max(used_up)
    if unknown:
        return min(unknown)
    return next((found for name in _RESETS if (found := _moment(headers.get(name))) is not None), None)


def _moment(value: str | None, unit: float = 1.0) -> float | None:
    """A header as seconds from now: a number, a duration such as `6m0s`, or a date."""
    if value is None:
        return None
    value = value.strip()
    try:
        seconds = float(value) * unit
    except ValueError:
        if _PART.match(value):
            return _duration(value)
        return _until(value)
    if not math.isfinite(seconds):
        return None
    if seconds > 1e11:  # milliseconds since 1970
        seconds = seconds / 1e3 - time.time()
    elif seconds > 1e9:  # seconds since 1970
        seconds -= time.time()
    return max(seconds, 0.0)


def _until(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        date = email.utils.parsedate_tz(value)
        if date is None:
            return None
        try:
            return max(email.utils.mktime_tz(date) - time.time(), 0.0)
        except (ValueError, OverflowError):
            return None
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time(), 0.0)


def _duration(text: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text.lower()))
