"""A fingerprint is of every file that tokenizer and model read, and loading holds a model to it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from teachable.student import Student
from teachable.student import digests as module
from teachable.student.digests import file_digest, fingerprint
from teachable.student.errors import FingerprintMismatch
from teachable.student.files import commit_of, locate


@pytest.fixture
def model(student_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(student_directory, tmp_path / "model"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "teachable" / "digests"


@pytest.mark.parametrize(
    "name",
    [
        "vocab.json", "merges.txt", "vocab.txt", "added_tokens.json", "special_tokens_map.json", "spiece.model",
        "sentencepiece.bpe.model", "tokenizer.model", "qwen.tiktoken", "tekken.json", "chat_template.json",
        "chat_template.jinja", "additional_chat_templates/tool_use.jinja", "generation_config.json", "tokenizer.json",
        "tokenizer_config.json", "config.json", "model.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ],
)  # fmt: skip
def test_a_change_of_any_file_that_is_read_is_another_model(model: Path, name: str) -> None:
    path = model / name
    before = fingerprint(model)
    path.parent.mkdir(exist_ok=True)
    if path.exists() and path.suffix == ".json":
        path.write_text(json.dumps({**json.loads(path.read_text()), "another": 1}))
    else:
        path.write_bytes(
            (path.read_bytes() if path.exists() else b"") + (b'{"a": 1}' if name.endswith("json") else b"x")
        )
    assert fingerprint(model) != before


@pytest.mark.parametrize("name", ["README.md", "LICENSE.txt", ".gitattributes", "pytorch_model.bin", "x.png"])
def test_what_nothing_reads_does_not_count(model: Path, name: str) -> None:
    before = fingerprint(model)
    (model / name).write_text("text")
    assert fingerprint(model) == before


def test_the_layout_and_scoring_of_a_built_in_student_count_and_its_history_does_not(model: Path) -> None:
    before, path = fingerprint(model), model / "student.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "validation_success": 0.9}))
    assert fingerprint(model) == before
    path.write_text(json.dumps({**record, "memo_label": "notes"}))
    assert fingerprint(model) != before


def test_large_files_are_hashed_whole_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    large = tmp_path / "model.safetensors"
    large.write_bytes(bytes(3 << 20))
    os.utime(large, (1e9, 1e9))
    monkeypatch.setattr(module, "SETTLED_S", -1.0)  # times are those of the test
    first = file_digest(large)
    assert len(list(cache.iterdir())) == 1
    note = next(cache.iterdir())
    kept = json.loads(note.read_text())
    note.write_text(json.dumps({**kept, "sha256": "f" * 64}))
    assert file_digest(large) == "f" * 64, "the second look reads the cache"
    with large.open("r+b") as file:
        file.seek((1 << 20) + 17)
        file.write(b"\1")
    os.utime(large, (1e9, 1e9))  # same size, same modification time, same inode
    assert file_digest(large) not in (first, "f" * 64)


def test_a_file_that_may_still_change_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    large = tmp_path / "model.safetensors"
    large.write_bytes(bytes(2 << 20))
    file_digest(large)
    assert not cache.exists()


def test_a_cache_that_cannot_be_used_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = tmp_path / "model.safetensors"
    large.write_bytes(bytes(2 << 20))
    monkeypatch.setattr(module, "SETTLED_S", -1.0)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert file_digest(large) == file_digest(large)


def test_a_blob_of_the_hub_is_believed_by_content_not_by_name(tmp_path: Path) -> None:
    blob = tmp_path / ("0" * 64)
    blob.write_bytes(b"weights")
    (tmp_path / "model.safetensors").symlink_to(blob)
    first = file_digest(tmp_path / "model.safetensors")
    blob.write_bytes(b"other weights")
    assert file_digest(tmp_path / "model.safetensors") != first


def test_loading_refuses_a_model_that_changed(model: Path) -> None:
    recorded = Student.load(model, device="cpu").fingerprint
    assert Student.load(model, device="cpu", fingerprint=recorded).fingerprint == recorded
    content = json.loads((model / "tokenizer.json").read_text())
    content["model"]["merges"] = content["model"]["merges"][:-1]
    (model / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(FingerprintMismatch, match=r"has changed: its fingerprint is .*, not "):
        Student.load(model, device="cpu", fingerprint=recorded)


def test_a_hub_name_resolves_to_a_commit(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, commits = tmp_path / "hub", ["1" * 40, "2" * 40]
    repository = hub / "models--acme--small"
    for commit in commits:
        shutil.copytree(model, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commits[1])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    assert commit_of(locate("acme/small")) == commits[1]
    assert commit_of(locate("acme/small", commits[0])) == commits[0]
    assert commit_of(model) is None
