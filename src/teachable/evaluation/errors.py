"""What can go wrong between played episodes and numbers about models."""

from __future__ import annotations

from teachable.errors import TeachableError


class EvaluationError(TeachableError):
    """Episodes do not fit together: unpaired, of unknown starts, or of models that are missing."""
