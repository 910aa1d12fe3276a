"""``teachable export`` writes a folder whole or not at all, and refuses in one sentence that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from teachable.artifacts.catalogue import ARTIFACTS
from teachable.cli import main
from teachable.export import KINDS

from .made import put, snapshot


def refused(capsys: pytest.CaptureFixture[str], *line: str | Path) -> str:
    assert main(["export", *map(str, line)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("teachable: ")
    assert said.count("\n") == 1
    return said


def test_an_unknown_kind_names_the_nearest(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'dataset'?" in refused(capsys, "datasets", results, "-o", results / "out")
    assert "sft" in refused(capsys, "xyz", results, "-o", results / "out")


def test_no_results_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no folder" in refused(capsys, "sft", tmp_path / "none", "-o", tmp_path / "out")
    assert "no results of the workflow" in refused(capsys, "sft", tmp_path, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "lacking", "target"),
    [("sft", "examples", "phase2"), ("dpo", "panels", "phase1"), ("values", "action_values", "phase1")],
)
def test_a_missing_phase_names_its_command(
    kind: str, lacking: str, target: str, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / ARTIFACTS[lacking].whole).unlink()
    said = refused(capsys, kind, results, "-o", tmp_path / "out")
    assert f"`snakemake -c 2 {target}`" in said
    assert ARTIFACTS[lacking].whole in said
    assert not list(tmp_path.glob("*out*"))


def test_a_folder_with_files_is_replaced_by_force_only(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert main(["export", "sft", str(results), "-o", str(out)]) == 0
    capsys.readouterr()
    (out / "mine.txt").write_text("kept")
    assert "--force" in refused(capsys, "sft", results, "-o", out)
    assert (out / "mine.txt").exists()
    assert main(["export", "sft", str(results), "-o", str(out), "--force"]) == 0
    assert not (out / "mine.txt").exists()


def test_force_removes_neither_the_results_nor_where_one_stands(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "would remove" in refused(capsys, "sft", results, "-o", tmp_path, "--force")
    (tmp_path / "here/below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here/below")
    assert "would remove" in refused(capsys, "sft", results, "-o", tmp_path / "here", "--force")
    (tmp_path / "here/file").write_text("")
    assert "is no folder" in refused(capsys, "sft", results, "-o", tmp_path / "here/file", "--force")
    assert "cannot be written" in refused(capsys, "sft", results, "-o", tmp_path / "here/file/below")


def test_a_torn_table_leaves_what_was_there(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["export", "dataset", str(results), "-o", str(out)]) == 0
    before = sorted(path.name for path in out.rglob("*"))
    torn = results / ARTIFACTS["steps"].whole
    torn.write_bytes(torn.read_bytes()[:500])
    capsys.readouterr()
    assert "not a readable Parquet file" in refused(capsys, "dataset", results, "-o", out, "--force")
    assert sorted(path.name for path in out.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "results"]


def test_options_of_other_kinds_are_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "takes no --run" in refused(capsys, "dataset", results, "-o", results / "out", "--run", "Q1_demo")
    said = refused(capsys, "sft", results, "-o", results / "out", "--run", "Q1_dmo")
    assert "did you mean 'Q1_demo'?" in said


def test_nothing_to_prefer(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(results, "labeled", snapshot(0, suggested_action="wait"))
    assert "no preference" in refused(capsys, "dpo", results, "-o", results / "out")


def test_every_kind_says_what_it_is() -> None:
    assert sorted(KINDS) == ["adapter", "atif", "dataset", "dpo", "inspect", "sft", "values"]
    for about in KINDS.values():
        assert set(about) == {"about", "options"}
