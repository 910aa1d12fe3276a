"""What the fuzz tests found, each with the right value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from configured import RAW
from lawful import rows

from teachable import tables
from teachable.artifacts.commandline import parse
from teachable.artifacts.runner import _naming
from teachable.config import load_config
from teachable.config.load import assignments, read_yaml
from teachable.errors import ConfigError, MissingRow, TableError
from teachable.paper.report.run import _listing
from teachable.paper.typeset import headings
from teachable.pipeline.tasks import by_id
from teachable.stages import STAGES

from .study import run


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEACHABLE_STORE", "off")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["check-splits"], "check-splits: no path given for splits"),
        (["check-splits", "--out", "split=x.json"], "check-splits: no path given for splits"),
        (["label", "--out", "labeled=x"], "label: no path given for snapshots, advice, estimates, expert, thresholds"),
        (["check-splits", "--in", "task=x", "--out", "splits=x.json"], "check-splits: unknown input 'task'"),
    ],
)
def test_a_line_is_checked_without_a_store_too(line: list[str], said: str) -> None:
    """Without one a stage ran to its end and then ended in KeyError: 'splits'."""
    assert run(line).sentence.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nworld:\n\tname: x\n", "found character '\\t' that cannot start any token in line 3, column 1"),
        ("seed: 2020-13-45\n", "month must be in 1..12"),
        ("seed: [1\n", "expected ',' or ']'"),
        ("seed: !!int x\n", "invalid literal for int"),
        ("seed: \x00\n", "unacceptable character #x0000"),
        ("a: &a\n  b: *a\n", "an alias (*name) stands inside of what it names"),
        ("[a, b]: c\n", "found unhashable key in line 1, column 1"),
    ],
)
def test_what_is_wrong_with_a_yaml_file_is_one_line(place: Path, text: str, said: str) -> None:
    """It was four lines of the parser's, or a traceback."""
    path = place / "mine.yaml"
    path.write_text(text)
    sentence = run(["config", "--file", str(path)]).sentence
    assert sentence.startswith(f"{path}: ")
    assert said in sentence


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"": 1}, "--config: '': unknown key"),
        ({"tasks": {"train": {"easy": 10**15}}}, "--config: configuration: tasks.train: there would be"),
        ({"training": {"seeds": 10**9}}, "training.seeds: there would be 28,000,000,000 jobs, and 100,000 is the most"),
        ({"tasks": {"train": {"easy": 2**63}}}, "--config: tasks.train.easy: is too large a number"),
        (
            {"teacher": {"cache": "a\0b"}},
            r"teacher.cache: holds a character that cannot be printed, 'a\x00b'",
        ),
        (
            {"teacher": {"extra_body": {"a": "\ud83d"}}},
            r"teacher.extra_body.a: holds a character that cannot",
        ),
    ],
)
def test_what_no_run_can_do_is_refused(override: dict[str, Any], said: str) -> None:
    """A plan of 71 billion jobs has no end, and half a surrogate pair can be written into no file."""
    with pytest.raises(ConfigError) as caught:
        load_config({**RAW, "override": override}, preset="smoke", given="--config")
    assert said in str(caught.value)


def test_a_text_of_several_lines_is_fine() -> None:
    body = {"guided_grammar": "root ::= a\n\ta ::= 'ä'"}
    assert load_config({**RAW, "override": {"teacher": {"extra_body": body}}}).teacher.extra_body == body


def test_values_of_the_command_line_are_yaml() -> None:
    assert assignments(["training={epochs: 5}", "seed=2"], "--config") == {"training": {"epochs": 5}, "seed": 2}
    with pytest.raises(ConfigError, match=r"--config: training: is not valid YAML: .* in line 1, column"):
        assignments(["training={epochs"], "--config")


def test_an_alias_twice_is_no_circle(place: Path) -> None:
    (place / "mine.yaml").write_text("a: &a {b: 1}\nc: *a\nd: [*a, *a]\n")
    assert read_yaml(place / "mine.yaml")["d"] == [{"b": 1}, {"b": 1}]


def test_a_key_that_a_json_file_has_not(place: Path) -> None:
    """It was KeyError: 'counts', without the file."""
    (place / "thresholds.json").write_text('{"inner": {"a": 1}}')
    value = tables.read_json(place / "thresholds.json")
    assert value == {"inner": {"a": 1}}
    assert value.get("counts") is None
    with pytest.raises(TableError, match=r"thresholds\.json: 'counts' is missing\. .* delete it"):
        value["inner"]["counts"]
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', "[" * 100_000, "{", '{"a": 1} 2'])
def test_a_json_file_that_is_none(place: Path, text: str) -> None:
    (place / "x.json").write_text(text)
    with pytest.raises(TableError, match=r"x\.json is not valid JSON"):
        tables.read_json(place / "x.json")


def test_a_json_file_in_another_encoding(place: Path) -> None:
    (place / "x.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(TableError, match=r"x\.json is not valid JSON"):
        tables.read_json(place / "x.json")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00", "a\n1,2,3\n"])
def test_the_report_names_a_listing_that_is_none(place: Path, text: str) -> None:
    """It was KeyError: 'quadrant'."""
    path = place / "tab_h1_1.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=r"tab_h1_1\.csv.*delete it and run the workflow again"):
        _listing(path, "h1_1")


def test_a_listing_that_is_one(place: Path) -> None:
    heads = headings("h1_1")
    (place / "tab_h1_1.csv").write_text(",".join(heads) + "\n" + ",".join("1" for _ in heads) + "\n")
    assert _listing(place / "tab_h1_1.csv", "h1_1").height == 1


def test_a_game_that_no_table_has_is_named(place: Path) -> None:
    """It was KeyError: 'nowhere'; the stage adds the files."""
    tasks = rows(tables.TASKS, {"task_id": "here"})
    assert by_id(tasks)["here"].task_id == "here"
    with pytest.raises(MissingRow, match="no row with task_id 'nowhere'"):
        by_id(tasks)["nowhere"]


def test_a_stage_names_the_files_of_different_runs() -> None:
    call = parse(["restore-check", "--in", "snapshots=s.parquet", "tasks=t.parquet", "games=g", "--out", "a=b"])
    with pytest.raises(TableError) as caught, _naming(STAGES["restore-check"], call):
        raise MissingRow("task_id", "nowhere")
    assert str(caught.value) == (
        "restore-check: no row with task_id 'nowhere' where one is needed: snapshots=s.parquet, tasks=t.parquet are "
        "not of one run. Delete what was changed and run the workflow again."
    )


def test_infinity_is_no_number(place: Path) -> None:
    """Infinite points and errors passed, and ended in a traceback where a summary was written as JSON."""
    row = {"model": "base", "panel": "test", "group": "all", "metric": "success", "point": float("inf")}
    frame = rows(tables.METRICS, row)
    with pytest.raises(TableError, match=r"column point holds inf in row 1, where a finite number is expected"):
        tables.write(frame, place / "metrics.parquet", tables.METRICS)
    chosen = rows(tables.SELECTION, {"run": "r", "score": -float("inf")})  # never chosen
    tables.write(chosen, place / "selection.parquet", tables.SELECTION)
    assert tables.read(place / "selection.parquet", tables.SELECTION)["score"].to_list() == [-float("inf")]


def test_lawful_rows_are_lawful() -> None:
    schemas = [value for name in tables.__all__ if isinstance(value := getattr(tables, name), tables.Table)]
    assert len(schemas) > 25
    for schema in schemas:
        tables.conform(rows(schema, {}), schema)
        assert isinstance(tables.empty(schema), pl.DataFrame)
