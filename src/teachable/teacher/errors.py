"""What can go wrong with a teacher. No message ever holds an API key."""

from __future__ import annotations

from teachable.errors import TeachableError


class AdviceError(TeachableError):
    """A piece of advice breaks its contract: it is missing, marked invalid, or gives the answer away."""


class TeacherError(TeachableError):
    """The teacher cannot be asked as configured: a missing key, a refused request, an unknown price."""


class TeacherUnavailable(TeacherError):
    """The endpoint kept failing (429, 5xx, time-outs); finished answers are in the cache, so run again later."""


class BudgetExceeded(TeacherError):
    """The next request could pass the budget; everything paid for so far is in the cache."""
