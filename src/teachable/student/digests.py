"""Digests of what a model's directory holds: every file that its tokenizer and its model may read.

Large files are hashed whole, once: their digests are kept in a cache directory, by size, times and inode, so that the
second look at 16 GB of weights takes milliseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from teachable.student.errors import StudentError
from teachable.student.files import STUDENT_FILE, read_json

SMALL = 1 << 20  # files below this many bytes are hashed every time
SETTLED_S = 2.0  # a file changed within this time could change once more under the same times: its digest is not kept

# What no tokenizer and no model reads. Anything else counts: vocabularies go by many names.
_UNREAD_SUFFIXES = frozenset(
    {".md", ".rst", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".py", ".log", ".lock", ".tmp", ".bin"}
    | {".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf", ".ot", ".ckpt", ".tflite", ".zip", ".gz"}
)
_UNREAD_STEMS = frozenset({"license", "licence", "notice", "copying", "readme", "use_policy", "training_args"})
_FOLDERS = ("additional_chat_templates",)
_STUDENT_KEYS = ("layout", "layout_version", "memo_label", "temperature", "length_normalisation")
_VOLATILE = ("transformers_version", "_name_or_path")


def cache_directory() -> Path:
    """Where digests are kept: ``teachable/digests`` in ``XDG_CACHE_HOME``, by default ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "teachable" / "digests"


def file_digest(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file's bytes, all of them; from the cache where the file is as it was.

    Raises OSError where the file cannot be read.
    """
    real = path.resolve()
    before = real.stat()
    if before.st_size < SMALL:
        return hashlib.sha256(real.read_bytes()).hexdigest()
    mark = [str(real), before.st_size, before.st_mtime_ns, before.st_ctime_ns, before.st_ino, before.st_dev]
    note = cache_directory() / hashlib.sha256(os.fsencode(real)).hexdigest()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(note.read_text(encoding="utf-8"))
        if kept["mark"] == mark:
            return str(kept["sha256"])
    with real.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    after = real.stat()
    changed = max(after.st_mtime, after.st_ctime)
    if (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns) and (
        time.time() - changed > SETTLED_S
    ):
        with contextlib.suppress(OSError):  # without a place to keep it, it is computed again
            _keep(note, {"mark": mark, "sha256": found})
    return found


def _keep(note: Path, value: dict[str, Any]) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=note.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(draft, note)


def files_read(directory: Path) -> list[Path]:
    """The files of a model's directory on which its answers may depend, sorted; ``student.json`` is not among them."""
    places = [directory, *(directory / name for name in _FOLDERS)]
    return sorted(
        path for place in places if place.is_dir() for path in place.iterdir() if path.is_file() and _may_be_read(path)
    )


def _may_be_read(path: Path) -> bool:
    name = path.name.lower()
    return not (
        name.startswith(".")
        or name == STUDENT_FILE
        or Path(name).suffix in _UNREAD_SUFFIXES
        or name.partition(".")[0] in _UNREAD_STEMS
    )


def fingerprint(directory: Path) -> str:
    """A digest of a model's weights, tokenizer and configuration: what its answers depend on.

    Independent of where the directory lies and of what says how the model came about. Of ``student.json`` the layout
    and the settings of scoring count.

    Raises StudentError, with the file, where one cannot be read.
    """
    digest = hashlib.sha256()
    for path in files_read(directory):
        try:
            content = _settings(path) if path.name in ("config.json", "generation_config.json") else file_digest(path)
        except OSError as problem:
            raise StudentError(f"cannot read {path}: {problem}") from problem
        digest.update(f"{path.relative_to(directory).as_posix()}\x1f{content}\x1e".encode())
    if (directory / STUDENT_FILE).is_file():
        record = read_json(directory / STUDENT_FILE)
        read = {key: record[key] for key in _STUDENT_KEYS if key in record}
        digest.update(f"{STUDENT_FILE}\x1f{json.dumps(read, sort_keys=True)}\x1e".encode())
    return digest.hexdigest()


def _settings(path: Path) -> str:
    """A configuration without what changes from one saving to the next."""
    return json.dumps({key: value for key, value in read_json(path).items() if key not in _VOLATILE}, sort_keys=True)
