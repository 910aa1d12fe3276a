"""What can go wrong with a student. This room imports nothing of the rest, so it has its own errors."""

from __future__ import annotations


class StudentError(RuntimeError):
    """A student cannot be loaded, asked or trained; the message says what to do."""


class LayoutMismatch(StudentError):
    """A checkpoint or adapter was made for another prompt layout than the one at hand.

    Reading a checkpoint through another layout does not fail by itself, it only gives wrong numbers, so
    it is refused.
    """


class AdapterError(StudentError):
    """An adapter does not fit its base model, or does not change what the base model says."""
