"""The student that a run is about: linked once, loaded as it was linked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable import tables
from teachable.errors import MissingInput
from teachable.pipeline.prompting import Prompter
from teachable.student.digests import fingerprint
from teachable.student.errors import FingerprintMismatch, StudentError
from teachable.student.files import STUDENT_FILE, commit_of, locate, read_json
from teachable.student.prompt import layout_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    from teachable.config import model as c
    from teachable.student.model import Student

SETTINGS = "settings.json"
WEIGHTS = "weights"
ABSENT = "absent.json"  # all there is in the adapter directory of a run that could not be trained
AGAIN = "snakemake -c 1 --forcerun link_student"


def beside(params: BaseModel) -> Mapping[str, Any]:
    """What ``link-student`` reads beside its inputs, for its key: the model's content and commit, and on which device
    in which precision it runs here. Raises MissingInput where the model is not on this machine."""
    student: c.Student = params.student  # type: ignore[attr-defined]
    try:
        found = machine(student)
        if student.source == "hf":
            directory = locate(student.path or "", student.revision)
            found |= {"fingerprint": fingerprint(directory), "revision": commit_of(directory) or student.revision}
    except StudentError as problem:
        raise MissingInput(str(problem)) from problem
    return found


def machine(student: c.Student) -> dict[str, Any]:
    """On which device and in which precision the model of such a section runs here."""
    from teachable.student.devices import choose_device, choose_dtype

    device = choose_device(student.device)
    return {"device": device.type, "dtype": str(choose_dtype(student.dtype, device)).removeprefix("torch.")}


def link(student: c.Student, weights: Path | None) -> dict[str, Any]:
    """Try out the student that the configuration names and return its settings: which model, resolved to its content,
    commit, device, precision, attention implementation and way of scoring.

    ``weights``: the directory of the built-in student; None: ``student.path``. Raises StudentError, in one sentence,
    for anything about the model that would end a run later.
    """
    from teachable.student.layouts.chat import TODAY
    from teachable.student.probing import try_out

    loaded = load_pretrained(student, weights)
    trial = try_out(loaded)
    print(
        f"scored by {trial.method}, {trial.largest_difference:.1e} nats from plain forward passes"
        + "".join(f"; {method} {reason}" for method, reason in trial.refused.items()),
        flush=True,
    )
    described = loaded.describe()
    return {
        **student.model_dump(exclude={"warm_start"}),
        "revision": commit_of(weights or locate(student.path or "", student.revision)) or student.revision,
        "fingerprint": loaded.fingerprint,
        "device": loaded.device.type,
        "dtype": described["dtype"],
        "attention": loaded.attention,
        "method": trial.method,
        "refused_methods": sorted(trial.refused),
        "prompt_date": TODAY.date().isoformat(),
    }


def load_pretrained(student: c.Student, weights: Path | None = None) -> Student:
    """The model that the configuration names, or the one in ``weights``; looked at first as far as its files tell.

    Raises StudentError where it is not on this machine, not whole or larger than the memory.
    """
    from teachable.student.devices import check_memory, choose_device, choose_dtype
    from teachable.student.loading import check_files
    from teachable.student.model import Student

    source = weights or student.path or ""
    directory = locate(source, student.revision)
    check_files(directory)
    device = choose_device(student.device)
    check_memory(directory, device, choose_dtype(student.dtype, device))
    return Student.load(
        source,
        revision=student.revision,
        device=student.device,
        dtype=student.dtype,
        batch_tokens=student.batch_tokens,
        prefix_bytes=_bytes(student.prefix_cache_gb),
        temperature=student.temperature,
        length_normalisation=student.length_normalisation,
        layout=student.layout,
    )


def _bytes(gigabytes: float | None) -> int | None:
    return None if gigabytes is None else int(gigabytes * 1e9)


@contextmanager
def _as_linked(record: Path, again: str = AGAIN) -> Iterator[None]:
    """Says how to link again where the model is no longer what ``record`` says."""
    try:
        yield
    except FingerprintMismatch as problem:
        raise StudentError(f"{problem} in {record}; link it again: `{again}`") from problem


def load_student(directory: Path, adapters: dict[str, Path] | None = None) -> Student:
    """The student that ``link-student`` recorded in ``directory``, on the device and in the precision recorded.

    Raises StudentError where the model has changed since, or the device is not here.
    """
    settings = tables.read_json(directory / SETTINGS)
    local = directory / WEIGHTS
    return load_linked(settings, AGAIN, directory / SETTINGS, local if local.exists() else None, adapters)


def load_linked(
    settings: Mapping[str, Any],
    again: str,
    record: Path = Path("expert.json"),
    weights: Path | None = None,
    adapters: Mapping[str, Path] | None = None,
) -> Student:
    """The model whose ``settings`` :func:`link` gave, from ``weights`` or from where they say. ``record`` names the
    file that they stand in, ``again`` the command that makes it anew. Raises StudentError as :func:`load_student`."""
    from teachable.student.model import Student

    with _as_linked(record, again):
        return Student.load(
            weights or settings["path"],
            revision=settings["revision"],
            device=settings["device"],
            dtype=settings["dtype"],
            batch_tokens=settings["batch_tokens"],
            prefix_bytes=_bytes(settings["prefix_cache_gb"]),
            temperature=settings["temperature"],
            length_normalisation=settings["length_normalisation"],
            layout=settings["layout"],
            method=settings["method"],
            attention=settings["attention"],
            fingerprint=settings["fingerprint"],
            adapters=adapters or {},
        )


def load_prompter(directory: Path) -> Prompter:
    """Prompts of the student in ``directory``; reads its tokenizer only. Raises StudentError where the model has
    changed since it was linked."""
    from teachable.student.loading import load_tokenizer

    settings = tables.read_json(directory / SETTINGS)
    local = directory / WEIGHTS
    home = local if local.exists() else locate(settings["path"], settings["revision"])
    found = fingerprint(home)
    with _as_linked(directory / SETTINGS):
        if found != settings["fingerprint"]:
            raise FingerprintMismatch(home, settings["fingerprint"], found)
    tokenizer = load_tokenizer(home)
    record = read_json(home / STUDENT_FILE) if (home / STUDENT_FILE).exists() else {}
    return Prompter(layout_of(record, tokenizer, settings["layout"]), tokenizer)
