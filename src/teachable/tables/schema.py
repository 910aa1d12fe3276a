"""What a table is: its name, its columns, the unit and meaning of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

Schema = Mapping[str, Any]

TEXT, INT, REAL, FLAG = pl.String, pl.Int64, pl.Float64, pl.Boolean
TEXTS, REALS = pl.List(pl.String), pl.List(pl.Float64)
HISTORY = pl.List(  # teachable.student.prompt.Transition
    pl.Struct(
        {
            "command": pl.String,
            "observation": pl.String,
            "before": pl.String,
            "memo": pl.String,
            "scene": pl.String,
            "commands": pl.List(pl.String),
        }
    )
)


class Column(NamedTuple):
    """Type, meaning and unit of a column, and what may stand in it; the meaning is empty where the name says it all.

    Of a list, bounds are those of its members.
    """

    dtype: Any
    meaning: str = ""
    unit: str = ""  # of numbers only; "index" and "seed" for what only names
    low: float | None = None  # smallest value, itself allowed
    high: float | None = None
    among: tuple[str, ...] = ()  # the words that may stand here; none: any
    null: bool = True  # whether a value may be missing


def of(
    dtype: Any,
    meaning: str = "",
    unit: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    null: bool = True,
) -> Column:
    """A column."""
    return Column(dtype, meaning, unit, low, high, (), null)


def name(meaning: str = "") -> Column:
    """A text that is always there: what identifies something."""
    return Column(TEXT, meaning, null=False)


def word(among: Iterable[str], meaning: str = "", *, null: bool = False) -> Column:
    """One of a few words; the meaning lists them, with ``meaning`` behind."""
    words = tuple(among)
    return Column(TEXT, " | ".join(words) + (f"; {meaning}" if meaning else ""), among=words, null=null)


def count(meaning: str, unit: str, *, null: bool = True) -> Column:
    """A whole number, 0 or more."""
    return Column(INT, meaning, unit, low=0, null=null)


def probability(meaning: str = "", *, null: bool = True) -> Column:
    """A number from 0 to 1."""
    return Column(REAL, meaning, "probability", 0.0, 1.0, (), null)


def difference(meaning: str = "") -> Column:
    """A difference of probabilities, from -1 to 1."""
    return Column(REAL, meaning, "probability", -1.0, 1.0)


def share(meaning: str = "") -> Column:
    """A share of a whole, from 0 to 1."""
    return Column(REAL, meaning, "share", 0.0, 1.0)


class Table(dict[str, Any]):
    """A schema, column to type, that knows its name and what its columns mean (:attr:`columns`).

    ``key``: the columns that together name a row, so that no two rows agree in all of them.
    """

    def __init__(self, name: str, about: str, columns: Mapping[str, Column], key: Sequence[str] = ()) -> None:
        super().__init__((column, what.dtype) for column, what in columns.items())
        self.name = name
        self.about = about
        self.columns = dict(columns)
        self.key = tuple(key)

    @property
    def version(self) -> str:
        """Digest of names, types, units, meanings and what may stand there: another schema is another version."""
        text = repr([(name, str(what.dtype), *what[1:]) for name, what in self.columns.items()] + [self.key])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


INTERVAL = Table(
    "INTERVAL",
    "An estimate and its interval; part of other tables.",
    {
        "point": of(REAL, "", "of the metric"),
        "low": of(REAL, "lower end of the confidence interval", "of the metric"),
        "high": of(REAL, "upper end", "of the metric"),
        "method": of(TEXT, "how the interval was made, e.g. 'cluster_bootstrap_expanded_95'"),
        "repetitions": count("bootstrap repetitions; 0 for a closed form", "draws"),
        "seed": of(INT, "seed of the generator", "seed"),
        "clusters": count("independent units (games)", "games"),
        "n": count("", "observations"),
    },
)

# The same beside a column `method` that names a predictor.
METHOD_INTERVAL = {
    "interval_method" if column == "method" else column: what for column, what in INTERVAL.columns.items()
}
