"""Tables: atomic, checked, reproducible."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teachable import tables
from teachable.errors import MissingInput, TableError
from teachable.seeds import integer, stream

SMALL: tables.Schema = {"name": tables.TEXT, "value": tables.REAL, "items": tables.TEXTS}
FRAME = pl.DataFrame({"name": ["a", "b"], "value": [1.0, None], "items": [["x"], []]}, schema=dict(SMALL))


def test_round_trip_and_same_bytes(tmp_path: Path) -> None:
    tables.write(FRAME, tmp_path / "a.parquet", SMALL)
    tables.write(FRAME.clone(), tmp_path / "b.parquet", SMALL)
    assert tables.read(tmp_path / "a.parquet", SMALL).equals(FRAME)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_a_failed_write_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    tables.write(FRAME, path, SMALL)
    with pytest.raises(TableError, match="missing columns"):
        tables.write(FRAME.drop("value"), path, SMALL)
    assert tables.read(path, SMALL).equals(FRAME)


@given(st.floats(min_value=0.01, max_value=0.99))
def test_a_torn_parquet_is_one_clear_sentence(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("torn") / "a.parquet"
    tables.write(FRAME, path, SMALL)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(TableError, match=r"a\.parquet is not a readable Parquet file") as caught:
        tables.read(path, SMALL)
    assert "\n" not in str(caught.value)


def test_a_missing_table_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="run the stage that makes it"):
        tables.read(tmp_path / "absent.parquet", SMALL)


def test_wrong_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    FRAME.with_columns(pl.lit("many").alias("value")).write_parquet(path)
    with pytest.raises(TableError, match="wrong type"):
        tables.read(path, SMALL)


def test_json_refuses_nan_and_torn_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        tables.write_json({"a": float("nan")}, tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(TableError, match="not valid JSON"):
        tables.read_json(tmp_path / "torn.json")


@given(st.integers(0, 2**31), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_streams_depend_on_the_name_only(seed: int, names: list[str]) -> None:
    first = stream(seed, *names).random(3)
    stream(seed, "something else").random(100)
    assert (stream(seed, *names).random(3) == first).all()
    assert integer(seed, *names) != integer(seed + 1, *names)
    assert 0 <= integer(seed, *names) < 2**63


def test_names_do_not_run_together() -> None:
    assert integer(1, "ab", "c") != integer(1, "a", "bc")
