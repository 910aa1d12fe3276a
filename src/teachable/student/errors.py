"""What can go wrong with a student. This room imports nothing of the rest, so it has its own errors."""

from __future__ import annotations

from pathlib import Path


class StudentError(RuntimeError):
    """A student cannot be loaded, asked or trained; the message says what to do."""


class LayoutMismatch(StudentError):
    """A checkpoint or adapter was made for another prompt layout than the one at hand.

    Reading a checkpoint through another layout does not fail by itself, it only gives wrong numbers, so
    it is refused.
    """


class FingerprintMismatch(StudentError):
    """The files of a model are not those that were asked for."""

    def __init__(self, directory: Path, expected: str, found: str) -> None:
        super().__init__(
            f"the model in {directory} has changed: its fingerprint is {found[:12]}..., not {expected[:12]}... "
            "as recorded"
        )


class AdapterError(StudentError):
    """An adapter does not fit its base model, or does not change what the base model says."""
