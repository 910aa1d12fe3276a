"""What a run would be refused for hours later, looked at before it starts: the teacher, the student, memory and disk.

``teachable check`` prints all of it; the workflow looks before its first job, of what its jobs need only. Nothing here
costs money: the endpoint is asked for its list of models, not for an answer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from teachable.config import Config
from teachable.config.teacher import Teacher
from teachable.errors import TeachableError
from teachable.student.errors import StudentError
from teachable.student.files import (
    adapter_bytes,
    check_adapter_files,
    is_adapter,
    locate,
    memory_bytes,
    weights_of,
)
from teachable.teacher.errors import TeacherError
from teachable.teacher.keys import read_key
from teachable.teacher.refusals import Refusal
from teachable.terms import controls, matrix

TIMEOUT_S = 10.0
_LIST = 1 << 20  # bytes of an endpoint's list of models that are read
GAME, TREE = 500_000, 60_000  # bytes of a game's files, and of all rows of a snapshot (measured: 475 kB and 40 kB)
SLACK = 100_000_000  # bytes for tables, figures and logs
CHECKPOINTS = 3  # of every adapter: first, middle, last


class NotReady(TeachableError):
    """A run would be refused later for what is refused now."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found. ``problem``: the run would end with it."""

    about: str  # teacher, student, memory, disk ...
    said: str
    problem: bool = False


# Which job of the workflow meets which trouble first.
NEEDED_BY: dict[str, frozenset[str]] = {
    "teacher": frozenset(("advise",)),
    "judge": frozenset(("judge",)),
    "student": frozenset(("warm_start", "link_student", "rollout")),
    "expert": frozenset(
        ("link_expert", "action_values", "leverage_values", "recovery_trajectories", "recovery_examples")
    ),
    "setup B": frozenset(("rollout",)),
}


def look(config: Config, *, store: Path | None, jobs: Collection[str] | None = None) -> Iterator[Found]:
    """Everything that is looked at, one thing after the other. ``jobs``: names of the rules that will run, where that
    is known; what none of them needs is left out. ``store``: where results are kept a second time, or None."""

    def needed(about: str) -> bool:
        return jobs is None or bool(NEEDED_BY[about] & set(jobs))

    if config.teacher.source == "openai" and needed("teacher"):
        yield from _teacher(config.teacher)
    if config.judge.asked and needed("judge"):
        yield from _teacher(config.judge.endpoint(config.teacher), "judge", "judge")
    if config.student.source == "hf" and needed("student"):
        yield from _student(config)
    if config.monitoring.tensorboard and (jobs is None or any(job.startswith("train") for job in jobs)):
        yield from _tensorboard()
    if needed("expert") or (needed("setup B") and config.rollouts.expert_episodes_per_task):
        if config.expert.teacher is not None:
            yield from _teacher(config.expert.teacher, "expert", "expert.teacher")
        if config.expert.source == "checkpoint":
            yield from _checkpoint(config)
    if jobs is None or len(jobs) > 0:
        yield from _disk(config, store)


def require(found: Iterable[Found], tell: Callable[[str], object]) -> None:
    """``tell`` what is no problem, and raise :class:`NotReady` with all that is one, in one sentence each."""
    problems = []
    for one in found:
        if one.problem:
            problems.append(one.said)
        else:
            tell(f"{one.about}: {one.said}")
    if problems:
        raise NotReady(" ".join(problems))


def _teacher(settings: Teacher, about: str = "teacher", place: str = "teacher") -> Iterator[Found]:
    """The key and the endpoint, of the section at ``place``. No more than a remark where there are answers in the
    cache: they need neither."""
    cached = any(Path(settings.cache).glob("answers/*/*.json"))
    rest = " Answers in the cache are used all the same; only a new question would end the run." if cached else ""

    def trouble(said: str) -> Found:
        return Found(about, said + rest, problem=not cached)

    try:
        secret = read_key(settings.api_key_env, settings.endpoint)
    except TeacherError as error:
        yield trouble(str(error))
        return
    try:
        listed = _ask(settings, "models", secret)
        if isinstance(listed, Refusal):
            yield from _refused(listed, settings, trouble, about)
            return
        names = _model_names(listed)
        if names and settings.model not in names:
            one = _ask(settings, f"models/{quote(settings.model, safe='')}", secret)
            if isinstance(one, Refusal) and one.status == 404:
                few = ", ".join(sorted(names)[:8])
                yield trouble(
                    f"{place}.model: {settings.endpoint} has no model {settings.model!r}; it has: {few}"
                    f"{' ...' if len(names) > 8 else ''}."
                )
                return
        yield Found(about, f"{settings.endpoint} answers" + (" and accepts the key" if secret else ""))
    except OSError as error:
        reason = getattr(error, "reason", error)
        yield trouble(
            f"{place}.base_url: {settings.endpoint} does not answer ({' '.join(str(reason).split())}): start the "
            f"server, correct `{place}.base_url`, or see whether this machine has a way to it."
        )


def _refused(refusal: Refusal, settings: Teacher, trouble: Callable[[str], Found], about: str) -> Iterator[Found]:
    failure = refusal.failure(settings)
    if refusal.status == 401 and failure is not None and not re.search("scope|insufficient perm", refusal.message):
        yield trouble(str(failure))
    else:  # a key may ask and not list, a server may have no list or be busy: questions may be answered all the same
        yield Found(about, f"{settings.endpoint} cannot be asked for its models ({refusal.name}: {refusal.said})")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key is for one host; where that sends us on, nothing is sent."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _ask(settings: Teacher, what: str, secret: str) -> Any:
    """The JSON at ``what`` of the endpoint, None where it is none, or its refusal. OSError where nothing answers."""
    request = urllib.request.Request(f"{settings.url}/{what}", headers={"Accept": "application/json"})
    if secret:
        request.add_unredirected_header("Authorization", f"Bearer {secret}")
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=min(TIMEOUT_S, settings.timeout_s)) as reply:
            body = _read(reply)
    except urllib.error.HTTPError as error:
        with error:
            return Refusal.of(error.code, _read(error), secret)
    except ValueError as error:  # http.client has its own words for a reply that is no HTTP
        raise OSError(str(error)) from error
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _read(reply: IO[bytes]) -> str:
    return reply.read(_LIST).decode("utf-8", "replace")


def _model_names(listed: Any) -> set[str]:
    entries = listed.get("data") if isinstance(listed, dict) else None
    names = [entry.get("id") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {name for name in names if isinstance(name, str)}


def _student(config: Config) -> Iterator[Found]:
    """That the model is on this machine, whole by its headers, and no larger than the memory a job asks for."""
    student, resources = config.student, config.resources
    try:
        directory = locate(student.path or "", student.revision)
        count = weights_of(directory)
    except StudentError as error:
        yield Found("student", f"student.path: {error}.", problem=True)
        return
    size = count * (4 if student.dtype == "float32" or (student.dtype == "auto" and not resources.gpus) else 2)
    asked = (resources.gpu_memory_gb if resources.gpus else resources.memory_gb) * 10**9
    said = f"{directory} has {count / 1e9:.2f} billion weights, {size / 1e9:.1f} GB in memory"
    if resources.gpus and size > asked:
        yield Found(
            "student",
            f"resources.gpu_memory_gb: {said}, and a job asks for {asked / 1e9:.0f} GB: raise it, or name a smaller "
            "model in student.path.",
            problem=True,
        )
    elif not resources.gpus and size > (memory := memory_bytes()):
        yield Found(
            "student",
            f"student.path: {said}, and this machine has {memory / 1e9:.1f} GB: name a smaller model, or set "
            "student.dtype to bfloat16.",
            problem=True,
        )
    else:
        yield Found("student", said)


def _tensorboard() -> Iterator[Found]:
    """The package that trainings would write event files with."""
    if find_spec("tensorboard") is None:
        yield Found(
            "tensorboard",
            "monitoring.tensorboard: the package tensorboard is not installed: `pip install tensorboard`, or set it to "
            "null.",
            problem=True,
        )


def _checkpoint(config: Config) -> Iterator[Found]:
    """That the model or adapter that plays as the expert is on this machine, and whole by its headers."""
    expert = config.expert
    path = Path(expert.path or "")
    try:
        if is_adapter(path):
            check_adapter_files(path)
            yield Found("expert", f"{path} is an adapter of the student")
        else:
            directory = locate(path, expert.revision)
            yield Found("expert", f"{directory} has {weights_of(directory) / 1e9:.2f} billion weights")
    except StudentError as error:
        yield Found("expert", f"expert.path: {error}.", problem=True)


def disk_bytes(config: Config) -> int:
    """About how much a whole run writes into its results: games, a warmed-up student, trained adapters, rows, and some
    slack."""
    tasks, training = config.tasks, config.training
    games = sum(sum(counts.values()) for counts in (tasks.warmstart, tasks.train, tasks.test))
    runs = (
        len(matrix())
        + len(controls())
        + 1
        + len(config.dpo.quadrants)
        + len(config.selection.k) * len(config.selection.methods)
    )
    adapter = warm = 0
    if config.student.source == "hf":
        try:
            directory = locate(config.student.path or "", config.student.revision)
            adapter = adapter_bytes(directory, config.lora.rank)
            if config.student.warm_start is not None:  # made, and linked; in float32 at most
                warm = 2 * 4 * weights_of(directory)
        except StudentError:  # that there is no such model is another problem's sentence
            adapter = warm = 0
    snapshots = config.snapshots.max_snapshots + config.snapshots.max_expert_snapshots
    return games * GAME + snapshots * TREE + runs * training.seeds * CHECKPOINTS * adapter + warm + SLACK


def _disk(config: Config, store: Path | None) -> Iterator[Found]:
    """Room for what is still to be written, by results and store, on the file systems where they lie."""
    need = disk_bytes(config)
    places: dict[int, tuple[int, list[Path]]] = {}
    for place in (Path("results"), *([store] if store is not None else [])):
        try:
            there = _existing(place)
            writable = os.access(there, os.W_OK | os.X_OK)
            device = there.stat().st_dev
            free = shutil.disk_usage(there).free
        except OSError as error:
            if place != store:
                raise
            yield Found("disk", f"{place}: the store is out of reach ({error.strerror}): the run goes on without it")
            continue
        if not writable:
            yield Found(
                "disk", f"{place.absolute()}: {there} cannot be written to: give yourself permission.", problem=True
            )
            return
        places.setdefault(device, (free, []))[1].append(place)
    for free, together in places.values():
        missing = sum(max(0, need - _size(place)) for place in together)
        names = " and ".join(str(place) for place in together)
        said = f"{names} will take some {missing / 1e9:.1f} GB more, and {free / 1e9:.1f} GB are free"
        if free < missing:
            remedy = "make room, work in another directory (--directory), or set store.path to another disk."
            yield Found("disk", f"{said}: {remedy}", problem=True)
        else:
            yield Found("disk", said)


def _existing(path: Path) -> Path:
    path = path.expanduser().absolute()
    while not path.exists():
        path = path.parent
    return path


def _size(directory: Path) -> int:
    """Bytes of the files below a directory; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, files in os.walk(directory):
        for file in files:
            try:
                total += os.lstat(os.path.join(folder, file)).st_size
            except OSError:
                continue
    return total
