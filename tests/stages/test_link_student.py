"""The link names the student by what it is now, and every stage behind it loads no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from teachable.artifacts import runner
from teachable.artifacts.commandline import Invocation
from teachable.errors import MissingInput
from teachable.pipeline.models import SETTINGS, beside, load_prompter, load_student
from teachable.stages import STAGES
from teachable.student import StudentError, StudentSettings
from teachable.student.builder import new_model, save_student, train_tokenizer
from teachable.student.layouts.compact import CompactLayout

COMMANDS = ("go north", "open box", "take red ball")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model as a pretrained one lies about."""
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=300)
    tokenizer = train_tokenizer([*COMMANDS, "Find the red ball. goal tip act did"], settings.vocabulary)
    place = tmp_path / "model"
    made = new_model(settings, len(tokenizer), seed=3)
    save_student(place, made, tokenizer, CompactLayout("notes"), name="tiny", about={})
    return place


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the stage with a store; gives the settings it recorded and whether they came from the store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEACHABLE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(path: Path | str, weights: Path | None = None, **changes: Any) -> tuple[dict[str, Any], bool]:
        student: dict[str, Any] = {
            "source": "hf", "path": str(path), "revision": None, "layout": None, "temperature": 1.0,
            "length_normalisation": "none", "device": "cpu", "dtype": "auto", "batch_tokens": 2000,
            "prefix_cache_gb": None, "warm_start": None,
            **changes,
        }  # fmt: skip
        shutil.rmtree("student", ignore_errors=True)
        inputs = {} if weights is None else {"weights": [weights]}
        capfd.readouterr()
        runner.run_all([Invocation("link-student", inputs, {"student": Path("student")}, {"student": student})], STAGES)
        return json.loads((Path("student") / SETTINGS).read_text()), "restored" in capfd.readouterr().err

    return run


def scale(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    save_file({k: 1.5 * v for k, v in weights.items()}, model / "model.safetensors", metadata={"format": "pt"})


def test_a_model_that_changed_is_not_restored_and_not_loaded_until_it_is_linked_again(model: Path, link: Any) -> None:
    first, restored = link(model)
    assert not restored
    again, restored = link(model)
    assert restored
    assert again == first
    loaded = load_student(Path("student"))
    assert loaded.fingerprint == first["fingerprint"]
    load_prompter(Path("student"))

    scale(model)
    for load in (load_student, load_prompter):
        with pytest.raises(StudentError, match=r"has changed.*student/settings\.json.*--forcerun link_student"):
            load(Path("student"))
    second, restored = link(model)
    assert not restored
    assert second["fingerprint"] != first["fingerprint"]
    assert load_student(Path("student")).fingerprint == second["fingerprint"]


def test_device_precision_and_way_of_scoring_are_recorded_as_they_are(model: Path, link: Any) -> None:
    settings, _ = link(model, device="auto", dtype="auto")
    gpu = torch.cuda.is_available()
    assert settings["device"] == ("cuda" if gpu else "cpu")
    assert settings["dtype"] == ("bfloat16" if gpu else "float32")
    assert (settings["method"], settings["attention"], settings["refused_methods"]) == ("tree", "sdpa", [])
    assert settings["prompt_date"] == "2025-01-01"
    student = load_student(Path("student"))
    assert student.describe()["dtype"] == settings["dtype"]
    assert student.device.type == settings["device"]


def test_what_a_gpu_would_compute_has_another_key(model: Path, link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    link(model)
    stage = STAGES["link-student"]
    student = json.loads((Path("student") / SETTINGS).read_text())
    knobs = {key: student.get(key) for key in stage.params.model_fields["student"].annotation.model_fields}  # type: ignore[union-attr]
    call = Invocation(
        "link-student", {}, {"student": Path("student")}, {"student": {**knobs, "device": "auto", "dtype": "auto"}}
    )
    here = call.recipe(stage).key
    monkeypatch.setattr("torch.cuda.is_available", lambda: not torch.version.cuda)
    assert call.recipe(stage).key != here


def test_the_built_in_student_is_linked_by_its_copy(model: Path, link: Any) -> None:
    settings, _ = link(None, weights=model, source="builtin")
    assert settings["fingerprint"] == load_student(Path("student")).fingerprint
    scale(Path("student") / "weights")
    with pytest.raises(StudentError, match="link it again"):
        load_student(Path("student"))


def test_a_hub_name_is_recorded_with_its_commit(
    model: Path, link: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, commits = tmp_path / "hub" / "models--acme--small", ["1" * 40, "2" * 40]
    for commit in commits:
        shutil.copytree(model, repository / "snapshots" / commit)
    scale(repository / "snapshots" / commits[1])
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commits[0])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    first, _ = link("acme/small")
    assert first["revision"] == commits[0]
    (repository / "refs" / "main").write_text(commits[1])
    assert load_student(Path("student")).fingerprint == first["fingerprint"], "the commit that was linked"
    second, restored = link("acme/small")
    assert not restored
    assert second["revision"] == commits[1]


def test_a_damaged_model_ends_the_link(model: Path, link: Any) -> None:
    weights = load_file(model / "model.safetensors")
    kept = {k: v for k, v in weights.items() if ".layers.1." not in k}
    save_file(kept, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(StudentError, match="which would be random"):
        link(model)
    assert not Path("student").exists()


def test_a_model_that_is_not_here_is_an_error_of_the_users(link: Any) -> None:
    with pytest.raises(MissingInput, match=r"no student at .*fetch-student"):
        link("/nowhere/model")
    assert STAGES["link-student"].beside == f"{beside.__module__}.{beside.__name__}"
