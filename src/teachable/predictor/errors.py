"""What can go wrong in this room."""

from __future__ import annotations

from teachable.errors import TeachableError


class PredictorError(TeachableError):
    """The features, labels or candidates do not fit together, or are too few to learn from."""
