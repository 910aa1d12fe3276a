"""What can go wrong in this room."""

from __future__ import annotations

from teachable.errors import TeachableError


class PredictorError(TeachableError):
    """The features, labels or candidates do not fit together."""


class TooFew(PredictorError):
    """Too few snapshots or games to learn a predictor from: the workflow goes on without one."""
