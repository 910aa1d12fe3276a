"""How figures, tables and criteria ask for what they read.

A figure never meets a path: it is handed ``data``, a mapping from names of results
(:data:`teachable.artifacts.catalogue.ARTIFACTS`) to a Polars frame or to the value of a JSON file. The helpers here
fetch from that mapping and raise :class:`PaperError`, which names the input and the field, where something is missing.
Nothing is ever filled in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from teachable.artifacts.catalogue import ARTIFACTS, RESULTS
from teachable.errors import TeachableError

Data = Mapping[str, Any]
"""Name of a result -> ``pl.DataFrame`` (Parquet) or ``dict``/``list`` (JSON)."""

WORDS = "words"
"""The name by which an item whose ``ABOUT`` says ``words: True`` finds its world's vocabulary in ``data``."""


class PaperError(TeachableError):
    """A figure, table or criterion lacks an input, or the input lacks what it needs."""


class Undefined(PaperError):
    """The numbers were measured, but none is defined on these data (a correlation without variation, say).

    A figure of such numbers says so in place of a picture; what was never measured stays an error.
    """


@dataclass(frozen=True, slots=True)
class Interval:
    """A stored estimate: ``low`` and ``high`` are NaN where no interval could be made, ``mde`` where the smallest
    effect that would be seen is not stored with it."""

    point: float
    low: float
    high: float
    n: int
    clusters: int
    mde: float = math.nan

    @classmethod
    def of(cls, row: Mapping[str, Any], name: str = "interval") -> Interval:
        """From a row or JSON object with the columns of ``tables.INTERVAL``; raises PaperError without a point."""
        if not isinstance(row, Mapping) or row.get("point") is None:
            raise PaperError(f"{name} holds no point estimate: run the stage that makes it again.")

        def end(key: str) -> float:
            value = row.get(key)
            return math.nan if value is None else float(value)

        return cls(
            end("point"), end("low"), end("high"), int(row.get("n") or 0), int(row.get("clusters") or 0), end("mde")
        )

    @classmethod
    def maybe(cls, row: Mapping[str, Any] | None) -> Interval | None:
        """As :meth:`of`, but ``None`` where the quantity was not defined (its stored point is null)."""
        return cls.of(row) if row and row.get("point") is not None else None

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside of the interval; false where there is none."""
        return self.low > 0 or self.high < 0

    @property
    def detectable(self) -> float:
        """The smallest true effect that a test at 5 % would find with 80 % power: as stored, else from the width
        of the 95 % interval, ``(z_.975 + z_.8) / (2 z_.975)`` of it."""
        return (1.95996 + 0.84162) / (2 * 1.95996) * (self.high - self.low) if math.isnan(self.mde) else self.mde

    def text(self, digits: int = 2, *, signed: bool = False) -> str:
        """``0.12 [0.05, 0.20]``; the point alone where there is no interval."""
        point = number(self.point, digits, signed=signed)
        if math.isnan(self.low) or math.isnan(self.high):
            return point
        return f"{point} [{number(self.low, digits)}, {number(self.high, digits)}]"


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """``value`` with a true minus sign and without a negative zero."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if float(text) == 0:
        text = f"{0:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def where(name: str) -> str:
    """How an error names an input: ``'labeled' (results/phase1/labeled_snapshots.parquet)``."""
    return f"'{name}' ({RESULTS}/{ARTIFACTS[name].whole})" if name in ARTIFACTS else f"'{name}'"


def words(data: Data) -> Any:
    """The world's :class:`~teachable.worlds.words.Words`. Raises PaperError when they were not handed over."""
    if WORDS not in data:
        raise PaperError(f"Input {WORDS!r} is missing: the vocabulary of the world, by `world_name` of the stage.")
    return data[WORDS]


def frame(data: Data, name: str, *columns: str) -> pl.DataFrame:
    """The table ``name`` of ``data``; raises PaperError when it is absent, empty or lacks a column."""
    value = data.get(name)
    if value is None:
        raise PaperError(f"The input {where(name)} is missing: run the stage that makes it.")
    if not isinstance(value, pl.DataFrame):
        raise PaperError(f"The input {where(name)} should be a table, but is a {type(value).__name__}.")
    missing = [column for column in columns if column not in value.columns]
    if missing:
        raise PaperError(f"The input {where(name)} lacks the columns {missing}: it was made by another version.")
    if value.is_empty():
        raise Undefined(f"The input {where(name)} has no row: the stage that makes it found nothing to measure.")
    return value


def select(data: Data, name: str, **conditions: Any) -> pl.DataFrame:
    """Rows of the table ``name`` where each column equals a value or is one of a list.

    Raises PaperError, which repeats the conditions, when there is none.
    """
    rows = frame(data, name, *conditions)
    for column, wanted in conditions.items():
        test = pl.col(column).is_in(list(wanted)) if _many(wanted) else pl.col(column).eq_missing(pl.lit(wanted))
        rows = rows.filter(test)
    if rows.is_empty():
        asked = _said(conditions)
        panel = conditions.get("panel")
        if isinstance(panel, str) and panel_is_empty(data, name, panel):
            raise Undefined(
                f"The {panel} panel is empty in this run, so {where(name)} has nothing with {asked}. The report "
                "says why."
            )
        raise PaperError(
            f"The input {where(name)} has no row with {asked}: the stage that makes it did not measure it."
        )
    return rows


def panel_is_empty(data: Data, name: str, panel: str) -> bool:
    """Whether no model played ``panel``: nothing of it can be in the table ``name``, which is no fault of a stage."""
    rows = data[name]
    return isinstance(rows, pl.DataFrame) and "panel" in rows.columns and rows.filter(panel=panel).is_empty()


def intervals(data: Data, name: str, key: str | Sequence[str], **conditions: Any) -> dict[Any, Interval]:
    """Intervals of the selected rows by the value of ``key`` (a tuple of values for several columns).

    Rows without a point estimate are not measurable and are left out; PaperError when none is left.
    """
    keys = [key] if isinstance(key, str) else list(key)
    rows = select(data, name, **conditions)
    frame(data, name, *keys, "point", "low", "high", "n", "clusters")
    found: dict[Any, Interval] = {}
    for row in rows.iter_rows(named=True):
        if row["point"] is None:
            continue
        place = row[keys[0]] if isinstance(key, str) else tuple(row[k] for k in keys)
        if place in found:
            raise PaperError(f"The input {where(name)} has two rows for {place} with {conditions}: it should have one.")
        found[place] = Interval.of(row)
    if not found:
        reasons = sorted({m for m in (rows["method"] if "method" in rows.columns else []) if m and "undefined" in m})
        if reasons:
            raise Undefined(f"{where(name)}, {_said(conditions)}: {'; '.join(reasons)}.")
        raise Undefined(
            f"{where(name)} holds no defined estimate: {_said(conditions)}, {len(rows)} of {len(rows)} null."
        )
    return found


def record(data: Data, name: str, *keys: str) -> Any:
    """The value below ``keys`` in the JSON input ``name``; PaperError names the key that is not there."""
    if name not in data or data[name] is None:
        raise PaperError(f"The input {where(name)} is missing: run the stage that makes it.")
    value = data[name]
    for depth, key in enumerate(keys):
        if not isinstance(value, Mapping) or key not in value:
            raise PaperError(f"The input {where(name)} lacks {'.'.join(keys[: depth + 1])}.")
        value = value[key]
    return value


def labelled(data: Data, *columns: str) -> pl.DataFrame:
    """The snapshots of ``labeled`` that have a quadrant and, in every asked column, a value."""
    rows = frame(data, "labeled", "quadrant", "task_id", *columns).drop_nulls(["quadrant", *columns])
    if rows.is_empty():
        raise Undefined(f"The input {where('labeled')} has no snapshot with a quadrant and values of {list(columns)}.")
    return rows


def count_note(rows: pl.DataFrame, what: str = "snapshots") -> str:
    """``n = 420 snapshots in 96 games``."""
    games = rows["task_id"].n_unique()
    return f"n = {len(rows):,} {what} in {games:,} game{'s' if games != 1 else ''}"


def interval_note(items: Iterable[Interval], what: str = "observations") -> str:
    """The range of n and games over several intervals: ``n = 40 to 96 snapshots in 20 to 31 games``."""
    known = list(items)
    return f"n = {_range(i.n for i in known)} {what} in {_range(i.clusters for i in known)} games"


def ordered(found: Iterable[str], order: Sequence[str]) -> list[str]:
    """``found`` in the given order; what the order does not know comes last, by name."""
    names = set(found)
    return [name for name in order if name in names] + sorted(names - set(order))


def _range(values: Iterable[int]) -> str:
    known = sorted(values)
    return f"{known[0]:,}" if known[0] == known[-1] else f"{known[0]:,} to {known[-1]:,}"


def _said(conditions: Mapping[str, Any]) -> str:
    return ", ".join(f"{c} in {list(w)}" if _many(w) else f"{c} = {w}" for c, w in conditions.items())


def _many(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, Iterator))
