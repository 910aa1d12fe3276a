"""``teachable view`` finds what there is, makes a folder whole or not at all, and says where it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.cli import main
from teachable.cli_view import tables_in

from .synthetic import sources

COUNT = 60


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of a run that has trained two models in parts: what lies where the workflow puts it."""
    monkeypatch.delenv("TEACHABLE_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    made, here = sources(COUNT), tmp_path / "results"
    for name in ("labeled", "advice", "steps", "episodes", "examples"):
        artifact = ARTIFACTS[name]
        tables.write(getattr(made, name), here / artifact.whole, getattr(tables, str(artifact.schema)))
    assert made.action_values is not None
    for shard in range(2):
        part = made.action_values.slice(shard * 300, 300)
        tables.write(part, here / f"phase1/action_values/{shard:03d}.parquet", tables.ACTION_VALUES)
    assert made.played is not None
    assert made.probes is not None
    for phase, model in (("phase3", "base"), ("phase3", "Q1_demo"), ("phase5", "S_oracle_k4")):
        folder = here / phase / "models" / model / "1"
        tables.write(made.played.filter(model=model), folder / "episodes.parquet", tables.EPISODES)
        tables.write(made.probes.filter(model=model), folder / "probes.parquet", tables.PROBES)
    assert made.examples is not None
    chosen = made.examples.filter(run="S_oracle_k4")
    tables.write(chosen, here / "phase5/examples/S_oracle_k4.parquet", tables.EXAMPLES)
    return here


def test_it_makes_the_page_of_what_there_is(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view"]) == 0
    page = results / "viewer/index.html"
    assert Path(capsys.readouterr().out.strip()).resolve() == page
    told = (results / "viewer/data/index.js").read_text()
    whole = json.loads(told[len("index(") : -len(");\n")])
    assert whole["count"] == COUNT
    assert whole["absent"] == ["label_episodes", "microtraining"]
    assert {run["name"] for run in whole["runs"]} == {"base", "B1_uniform", "Q1_demo", "S_oracle_k4"}
    assert len(tables_in(results)["action_values"]) == 2
    assert len(tables_in(results)["played"]) == 3
    assert len(tables_in(results)["examples"]) == 2


def test_what_is_up_to_date_is_left(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "results"]) == 0
    page = results / "viewer/index.html"
    first = page.stat().st_mtime_ns
    assert main(["view", "results"]) == 0
    assert "is up to date" in capsys.readouterr().err
    assert page.stat().st_mtime_ns == first
    later = page.stat().st_mtime + 5
    os.utime(results / ARTIFACTS["advice"].whole, (later, later))
    assert main(["view", "results"]) == 0
    assert page.stat().st_mtime_ns > first


def test_without_labels_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "labeled_snapshots.parquet is missing" in said
    assert "Traceback" not in said


def test_a_folder_of_other_things_is_not_replaced(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = results.parent / "thesis"
    other.mkdir()
    (other / "chapter.tex").write_text("years of work")
    (other / "index.html").write_text("<title>My thesis</title>")
    assert main(["view", "--out", str(other)]) == 1
    assert "holds other files" in capsys.readouterr().err
    assert sorted(path.name for path in other.iterdir()) == ["chapter.tex", "index.html"]


def test_a_table_that_is_torn_leaves_the_old_page(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view"]) == 0
    before = (results / "viewer/data/0.js").read_text()
    path = results / ARTIFACTS["steps"].whole
    path.write_bytes(path.read_bytes()[:1000])
    later = path.stat().st_mtime + 5
    os.utime(path, (later, later))
    assert main(["view"]) == 1
    assert "not a readable Parquet file" in capsys.readouterr().err
    assert (results / "viewer/data/0.js").read_text() == before
    assert sorted(one.name for one in results.iterdir() if one.name.startswith(".")) == []


def test_labels_alone_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEACHABLE_STORE", raising=False)
    rows: pl.DataFrame = sources(5).labeled
    tables.write(rows, tmp_path / ARTIFACTS["labeled"].path, tables.LABELED)
    assert main(["view", str(tmp_path), "--out", str(tmp_path / "pages")]) == 0
    assert (tmp_path / "pages/data/0.js").exists()
