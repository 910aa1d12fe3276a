"""Tables: atomic, checked, reproducible."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachable import __version__, tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.errors import MissingInput, TableError
from teachable.generation.splits import SPLITS
from teachable.seeds import integer, stream
from teachable.stages import concat

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


def test_a_file_of_the_users_own_is_not_to_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"name": "a"}\n')
    with pytest.raises(
        TableError, match=r"labels\.jsonl is not a readable Parquet file .*: give a Parquet table"
    ) as caught:
        tables.read(path, SMALL)
    assert "delete" not in str(caught.value)


def test_a_bit_that_flips_in_a_page_is_noticed(tmp_path: Path) -> None:
    """Wherever it flips the table is refused, or reads as it was written."""
    path = tmp_path / "labels.parquet"
    frame = pl.DataFrame([{**ROW, "name": f"n{i}", "p": i / 1000} for i in range(200)], strict=False)
    tables.write(frame, path, LABELS)
    sound, whole = path.read_bytes(), tables.read(path, LABELS)
    refused = 0
    for at in range(4, len(sound) - 8, 7):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        for read in (lambda: tables.read(path, LABELS), lambda: pl.concat(tables.batches(path, LABELS))):
            try:
                assert read().equals(whole), at
            except TableError as error:
                refused += str(path) in str(error)
    assert refused > 100


def test_a_missing_table_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="run the stage that makes it"):
        tables.read(tmp_path / "absent.parquet", SMALL)


def test_wrong_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    FRAME.with_columns(pl.lit("many").alias("value")).write_parquet(path)
    with pytest.raises(TableError, match="wrong type"):
        tables.read(path, SMALL)


LABELS = tables.Table(
    "LABELS",
    "A little of everything.",
    {
        "name": tables.name(),
        "p": tables.probability(),
        "step": tables.count("", "decisions", null=False),
        "kind": tables.word(("failure", "interval")),
        "logp": tables.of(tables.REALS, "", "nats", high=0.0),
    },
    key=("name",),
)
ROW = {"name": "a", "p": 0.5, "step": 1, "kind": "failure", "logp": [-0.1, -2.0]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"p": 7.0}, r"column p holds 7\.0 in row 2, where 0 or more and 1 or less is expected"),
        ({"p": -0.1}, "column p holds -0.1"),
        ({"p": float("nan")}, "column p holds nan in row 2, where a number is expected"),
        ({"p": float("inf")}, "column p holds inf"),
        ({"step": 1.5}, r"column step holds 1\.5 in row 2, where a whole number is expected"),
        ({"step": -1}, "column step holds -1 in row 2, where 0 or more is expected"),
        ({"step": None}, "column step holds None in row 2, where a value is expected"),
        ({"name": None}, "column name holds None"),
        ({"kind": "failed"}, "column kind holds 'failed' in row 2, where one of failure, interval is expected"),
        ({"kind": None}, "column kind holds None"),
        ({"logp": [-0.1, 0.5]}, "column logp holds .* in row 2, where 0 or less is expected"),
        ({"logp": [float("nan")]}, "column logp holds .* where a number is expected"),
        ({"name": "a"}, "2 rows are not the only ones of their kind, e.g. name 'a'"),
    ],
)
def test_what_may_not_stand_in_a_table_is_refused(tmp_path: Path, wrong: dict[str, object], said: str) -> None:
    frame = pl.DataFrame([ROW, {**ROW, "name": "b", **wrong}], strict=False)
    path = tmp_path / "labels.parquet"
    frame.write_parquet(path)
    for refused in (lambda: tables.read(path, LABELS), lambda: list(tables.batches(path, LABELS))):
        with pytest.raises(TableError, match=said) as caught:
            refused()
        assert str(path) in str(caught.value)
    with pytest.raises(TableError, match=said):
        tables.write(frame, tmp_path / "new.parquet", LABELS)
    assert not (tmp_path / "new.parquet").exists()


def test_what_may_stand_there_may(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "name": "b", "p": None, "logp": []}, {**ROW, "name": "c", "p": 1.0 + 1e-9, "logp": None}]
    tables.write(pl.DataFrame(rows, strict=False), tmp_path / "labels.parquet", LABELS)
    assert tables.read(tmp_path / "labels.parquet", LABELS)["name"].to_list() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("column", "found", "kept"),
    [
        ("step", pl.Series([1.0]), True),
        ("step", pl.Series([1], dtype=pl.UInt8), True),
        ("step", pl.Series([2**63], dtype=pl.UInt64), False),
        ("step", pl.Series(["1"]), False),
        ("p", pl.Series([1]), True),
        ("p", pl.Series(["0.5"]), False),
        ("p", pl.Series([None]), True),
        ("kind", pl.Series([3]), False),
        ("logp", pl.Series([[-1]]), True),
        ("logp", pl.Series([["-1"]]), False),
    ],
)
def test_types_change_only_where_no_value_does(column: str, found: pl.Series, kept: bool) -> None:
    frame = pl.DataFrame([ROW]).with_columns(found.alias(column))
    if kept:
        assert tables.conform(frame, LABELS).schema == pl.Schema(dict(LABELS))
        return
    with pytest.raises(TableError, match=column if found.dtype != pl.UInt64 else "wrong type"):
        tables.conform(frame, LABELS)


def test_splits_are_those_of_the_games() -> None:
    assert tables.TASKS.columns["split"].among == SPLITS


def test_json_refuses_nan_and_torn_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        tables.write_json({"a": float("nan")}, tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
    (tmp_path / "torn.json").write_text('{"a": ')
    with pytest.raises(TableError, match="not valid JSON"):
        tables.read_json(tmp_path / "torn.json")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"fraction": "1.0"}, "fraction"),
        ({"fraction": 1.5}, "fraction"),
        ({"fraction": None}, "fraction"),
        ({"verified": 3.5}, "verified"),
        ({"verified": True}, "verified"),
        ({"total": -1}, "total"),
        ({"kinds": {"failure": "3"}}, "kinds.failure"),
        ({"compared": ["digest", 3]}, "compared.1"),
        ({"seconds": 3.5}, "seconds"),
    ],
)
def test_a_document_holds_what_its_type_says(tmp_path: Path, changed: dict[str, object], field: str) -> None:
    path = tmp_path / "check.json"
    sound = {"total": 3, "verified": 3, "fraction": 1.0, "replays": 2, "compared": ["digest"], "kinds": {"failure": 3}}
    tables.write_document(sound, path, tables.RESTORE_CHECK)
    assert tables.read_document(path, tables.RESTORE_CHECK) == sound
    path.write_text(json.dumps({**sound, **changed}))
    for refused in (
        lambda: tables.read_document(path, tables.RESTORE_CHECK),
        lambda: tables.write_document({**sound, **changed}, path, tables.RESTORE_CHECK),
    ):
        with pytest.raises(TableError) as caught:
            refused()
        assert f"{path}: {field}: " in str(caught.value)
        assert "delete it and run the workflow again" in str(caught.value)


def test_every_json_result_has_its_document() -> None:
    assert all(
        isinstance(getattr(tables, str(artifact.schema)), tables.Document)
        for artifact in ARTIFACTS.values()
        if artifact.kind == "json"
    )


ALL = {name: value for name, value in vars(tables).items() if isinstance(value, tables.Table)}


@pytest.mark.parametrize("name", ALL)
def test_every_number_has_its_unit(name: str) -> None:
    table = ALL[name]
    assert table.name == name
    assert table.about
    for column, what in table.columns.items():
        inner = what.dtype.inner if isinstance(what.dtype, pl.List) else what.dtype
        number = inner in (tables.INT, tables.REAL, pl.Float32)
        assert number == bool(what.unit), column


def test_a_table_says_its_units_and_what_made_it(tmp_path: Path) -> None:
    path = tmp_path / "budget.parquet"
    with tables.made_by("make_examples"):
        tables.write(tables.empty(tables.BUDGET), path, tables.BUDGET)
    said = tables.describe(path)
    assert (said.table, said.stage, said.program) == ("BUDGET", "make_examples", __version__)
    assert (said.about, said.schema) == (tables.BUDGET.about, tables.BUDGET.version)
    found = {name: (column.meaning, column.unit) for name, column in said.columns.items()}
    assert found == {name: (column.meaning, column.unit) for name, column in tables.BUDGET.columns.items()}
    assert found["tokens"] == ("prompt and completion", "tokens")
    tables.write(tables.empty(tables.BUDGET), path, tables.BUDGET)
    assert tables.describe(path).stage == ""


def test_a_table_in_other_units_is_refused(tmp_path: Path) -> None:
    in_bits = tables.Table("LOGP", "", {"logp": tables.of(tables.REAL, "", "bits")})
    in_nats = tables.Table("LOGP", "", {"logp": tables.of(tables.REAL, "", "nats")})
    tables.write(tables.empty(in_bits), tmp_path / "a.parquet", in_bits)
    for read in (tables.read, lambda *table: list(tables.batches(*table))):
        with pytest.raises(TableError, match="column logp is in 'bits' where 'nats' is expected"):
            read(tmp_path / "a.parquet", in_nats)
    assert tables.describe(tmp_path / "a.parquet").schema != in_nats.version


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 5))
def test_where_a_frame_ends_does_not_show(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], group: int
) -> None:
    """Written in one piece or in any pieces, the bytes are the same; read by row group, the rows are."""
    path = tmp_path_factory.mktemp("pieces")
    total = sum(sizes)
    whole = pl.DataFrame(
        {
            "name": [f"n{i % 3}" for i in range(total)],
            "value": [None if i % 4 == 0 else i / 7 for i in range(total)],
            "items": [["x"] * (i % 3) for i in range(total)],
        },
        schema=dict(SMALL),
    )
    ends = [sum(sizes[:i]) for i in range(len(sizes))]
    pieces = [whole.slice(end, size) for end, size in zip(ends, sizes, strict=True)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("teachable.tables.files.ROW_GROUP", group)
        tables.write(whole, path / "whole.parquet", SMALL)
        tables.write_batches(iter(pieces), path / "pieces.parquet", SMALL)
    assert (path / "whole.parquet").read_bytes() == (path / "pieces.parquet").read_bytes()
    assert tables.describe(path / "whole.parquet").row_groups == -(-total // group)
    read = list(tables.batches(path / "pieces.parquet", SMALL))
    assert all(part.height <= group for part in read)
    assert pl.concat(read).equals(whole)
    assert tables.read(path / "pieces.parquet", SMALL).equals(whole)


def test_shards_are_concatenated_in_their_order(tmp_path: Path) -> None:
    shards = [tmp_path / f"{i}.parquet" for i in range(3)]
    given = {"task_id": "t", "commands": ["look"], "logp": [0.0], "action": "look", "digest": "d", "unwinnable": False}
    rows = [[{"episode_id": f"e{i}", "step": step, **given} for step in range(i)] for i in range(3)]
    frames = [pl.DataFrame(some, schema_overrides={"commands": tables.TEXTS}) for some in rows]
    full = [pl.concat([tables.empty(tables.STEPS), frame], how="diagonal") for frame in frames]
    for frame, path in zip(full, shards, strict=True):
        tables.write(frame, path, tables.STEPS)
    concat.run(shards, {"table": tmp_path / "all.parquet"}, "STEPS")
    assert tables.read(tmp_path / "all.parquet", tables.STEPS).equals(pl.concat(full))
    concat.run([], {"table": tmp_path / "none.parquet"}, "STEPS")
    assert tables.read(tmp_path / "none.parquet", tables.STEPS).is_empty()


@given(st.integers(0, 2**31), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_streams_depend_on_the_name_only(seed: int, names: list[str]) -> None:
    first = stream(seed, *names).random(3)
    stream(seed, "something else").random(100)
    assert (stream(seed, *names).random(3) == first).all()
    assert integer(seed, *names) != integer(seed + 1, *names)
    assert 0 <= integer(seed, *names) < 2**63


def test_names_do_not_run_together() -> None:
    assert integer(1, "ab", "c") != integer(1, "a", "bc")
