"""What a table is: its name, its columns, the unit and meaning of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

Schema = Mapping[str, Any]

TEXT, INT, REAL, FLAG = pl.String, pl.Int64, pl.Float64, pl.Boolean
TEXTS, REALS = pl.List(pl.String), pl.List(pl.Float64)
HISTORY = pl.List(pl.Struct({"command": pl.String, "observation": pl.String}))


class Column(NamedTuple):
    """Type, meaning and unit of a column; the meaning is empty where the name says it all."""

    dtype: Any
    meaning: str = ""
    unit: str = ""  # of numbers only; "index" and "seed" for what only names


def of(dtype: Any, meaning: str = "", unit: str = "") -> Column:
    """A column."""
    return Column(dtype, meaning, unit)


class Table(dict[str, Any]):
    """A schema, column to type, that knows its name and what its columns mean (:attr:`columns`)."""

    def __init__(self, name: str, about: str, columns: Mapping[str, Column]) -> None:
        super().__init__((column, what.dtype) for column, what in columns.items())
        self.name = name
        self.about = about
        self.columns = dict(columns)

    @property
    def version(self) -> str:
        """Digest of names, types, units and meanings: another schema is another version."""
        text = repr([(name, str(what.dtype), *what[1:]) for name, what in self.columns.items()])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


INTERVAL = Table(
    "INTERVAL",
    "An estimate and its interval; part of other tables.",
    {
        "point": of(REAL, "", "of the metric"),
        "low": of(REAL, "lower end of the confidence interval", "of the metric"),
        "high": of(REAL, "upper end", "of the metric"),
        "method": of(TEXT, "how the interval was made, e.g. 'cluster_bootstrap_expanded_95'"),
        "repetitions": of(INT, "bootstrap repetitions; 0 for a closed form", "draws"),
        "seed": of(INT, "seed of the generator", "seed"),
        "clusters": of(INT, "independent units (games)", "games"),
        "n": of(INT, "", "observations"),
    },
)

# The same beside a column `method` that names a predictor.
METHOD_INTERVAL = {
    "interval_method" if column == "method" else column: what for column, what in INTERVAL.columns.items()
}
