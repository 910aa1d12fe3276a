"""The exceptions a person may meet. Every message says what was wrong, where, and what to do."""

from __future__ import annotations


class TeachableError(Exception):
    """Base class of all errors that are the user's to mend; the command line prints it as one sentence."""


class ConfigError(TeachableError):
    """The configuration has an unknown key, an ill-typed value or an impossible combination."""


class TableError(TeachableError):
    """A table cannot be read, or does not have the columns and types its schema promises."""


class MissingRow(TableError):
    """A table names what another one should have and has not; ``column`` is where such names stand."""

    def __init__(self, column: str, name: object) -> None:
        super().__init__(f"no row with {column} {name!r} where one is needed")
        self.column = column


class MissingInput(TeachableError):
    """A file or directory that a stage needs is not there."""
