"""What can go wrong between labelled snapshots and trained models."""

from __future__ import annotations

from teachable.errors import TeachableError


class SplitError(TeachableError):
    """A game would serve both training and evaluation."""


class SetError(TeachableError):
    """A training set cannot be made as asked: a cell is too small, or a selected snapshot cannot be used."""


class TrainingError(TeachableError):
    """A trained model is not what it should be, e.g. it does not differ from the base student."""
