"""What a run would do and cost, told before it, and beside what it did: jobs, hours, teacher, disk.

The jobs are those of the real Snakefile: a dry run prints the line of each, which says what it reads, makes and is
configured by (:mod:`teachable.artifacts.commandline`). So nothing here knows a rule.
"""

from __future__ import annotations

import csv
import heapq
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from teachable.artifacts.commandline import Invocation, parse_shell
from teachable.artifacts.store import Store
from teachable.config import Config
from teachable.config.teacher import Teacher
from teachable.errors import MissingInput, TeachableError
from teachable.stages import STAGES
from teachable.workflow.lines import timing_of
from teachable.workflow.rates import RESTORE_S, Own, Pretrained, reference
from teachable.workflow.work import Work, count, questions

PHASES = ("setup", "world", "student", "phase0", "phase1", "phase1b", "phase2", "phase3", "phase4", "phase5", "concat")
_LOG = re.compile(r"> logs/(?P<place>\S+)\.log 2>&1\s*$")
_PRINTED = "Shell command: "

# A question about a cooking game has 600 to 1,500 tokens, its answer some 120 (docs/teacher.md), and one in ten is
# asked again: assumptions, until the ledger has answers.
QUESTION, ANSWER, ASKED = 1050.0, 120.0, 1.1
COMMAND = 20.0  # tokens of an answer that is a command: assumed, never measured


@dataclass(frozen=True)
class Job:
    """One job of the workflow: where its log and timing go (``phase0/rollout/000``), and the stages it runs."""

    place: str
    calls: tuple[Invocation, ...]

    @property
    def phase(self) -> str:
        return self.place.partition("/")[0]

    @property
    def stage(self) -> str:
        return self.calls[0].stage

    @property
    def loads_student(self) -> bool:
        return STAGES[self.stage].computes(self.calls[0].inputs)

    @cached_property
    def made(self) -> frozenset[Path]:
        return frozenset(path for call in self.calls for path in call.outputs.values())

    @cached_property
    def read(self) -> frozenset[Path]:
        return frozenset(path for call in self.calls for paths in call.inputs.values() for path in paths) - self.made


def place_of(line: str) -> str:
    """Where the log of the job with that shell line goes (``phase0/rollout/000``); empty where it is no stage's."""
    log = _LOG.search(line)
    return log["place"] if log else ""


def jobs_of(lines: Iterable[str]) -> list[Job]:
    """The jobs whose shell lines these are; whatever makes an input stands before its reader. A line that is no stage's
    is left out."""
    found = []
    for line in lines:
        place = place_of(line)
        if place and (calls := parse_shell(line, STAGES)):
            found.append(Job(place, tuple(calls)))
    return [found[index] for index in TopologicalSorter(_needs(found)).static_order()]


def _needs(jobs: Sequence[Job]) -> dict[int, set[int]]:
    """By number of a job: which others make what it reads."""
    maker = {path: index for index, job in enumerate(jobs) for path in job.made}
    return {index: {maker[path] for path in job.read if path in maker} for index, job in enumerate(jobs)}


def dry_run(*arguments: str, snakefile: Path = Path("Snakefile"), directory: Path | None = None) -> list[Job]:
    """The jobs that ``snakemake --dry-run`` would run. Raises TeachableError, with the last thing it said, where
    it fails."""
    if not snakefile.is_file():
        raise MissingInput(f"{snakefile} is missing: call this where the workflow lies.")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile.absolute())]
    command += ["--directory", str(directory)] if directory else []
    command += ["--dry-run", "--printshellcmds", "--nolock", "--cores", "1", "--quiet", "reason", "host", "--nocolor"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise TeachableError(
            f"the workflow cannot be planned: {' '.join(lines[-2:])[:600] or 'snakemake said nothing'}"
        )
    printed = (done.stdout + done.stderr).splitlines()
    return jobs_of(line.removeprefix(_PRINTED) for line in printed if line.startswith(_PRINTED))


# --- what the store has -----------------------------------------------------------------------------------------------


def look_in_store(jobs: Sequence[Job], store: Store | None) -> dict[str, list[bool | None]]:
    """For every job, stage by stage: whether the store has it; None where that cannot be known.

    A key needs the content of every input. It is known of a file that no job of the plan makes again, and of what a job
    makes whose own results the store has; of everything else it is not, and so neither is the key. Of a stage without
    any record the store has nothing, whatever the key.
    """
    if store is None:
        return {job.place: [False] * len(job.calls) for job in jobs}
    made = {path for job in jobs for path in job.made}
    known: dict[Path, str] = {}
    found: dict[str, list[bool | None]] = {}

    def content(path: Path) -> str:
        if path in made:
            return known[path]  # KeyError: not known before it is made
        known[path] = known.get(path) or store.digest(path)
        return known[path]

    def there(call: Invocation) -> bool | None:
        if not store.knows(call.stage):
            return False
        try:
            contents = {path: content(path) for paths in call.inputs.values() for path in paths}
            record = store.record(call.recipe(STAGES[call.stage], contents.__getitem__, contents.__contains__))
        except (KeyError, TeachableError):
            return None
        if record is not None:
            known.update({call.outputs[name]: output.digest for name, output in record.outputs.items()})
        return record is not None

    for job in jobs:
        found[job.place] = [there(call) for call in job.calls]
    return found


# --- time -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expected:
    """What one job would take: seconds, cores and GPUs that it holds meanwhile, and where the rate is from."""

    job: Job
    seconds: float
    cores: int
    gpus: int
    source: str


def expect(
    job: Job, config: Config, student: Pretrained | None, own: Own, stored: Sequence[bool | None] = ()
) -> Expected:
    """The time of one job. What the store has takes :data:`RESTORE_S`; ``stored`` says so of every stage it runs."""
    left = [call for call, there in zip(job.calls, stored or [None] * len(job.calls), strict=True) if not there]
    cores = 1
    if job.loads_student:
        cores = config.resources.threads
    elif job.stage == "build-student":
        cores = config.builtin.threads
    if not left:
        return Expected(job, RESTORE_S, 1, 0, "store")
    on = student if job.loads_student else None
    seconds = own.factor(job.stage) * reference(job.stage, [count(call, config) for call in left], on)
    gpus = config.resources.gpus if job.loads_student else 0
    return Expected(job, seconds, cores, gpus, own.source(job.stage, on))


def makespan(jobs: Sequence[Expected], cores: int, gpus: int) -> float:
    """Seconds until all are done: each starts as soon as what it reads is made and its cores and GPUs are free, those
    with the longest chain of jobs behind them first. One that asks for more than there is gets all there is."""
    needs = _needs([one.job for one in jobs])
    behind: list[list[int]] = [[] for _ in jobs]
    for index, before in needs.items():
        for other in before:
            behind[other].append(index)
    tail = [0.0] * len(jobs)
    for index in reversed(range(len(jobs))):  # readers stand behind makers
        tail[index] = jobs[index].seconds + max((tail[after] for after in behind[index]), default=0.0)
    waiting = [len(needs[index]) for index in range(len(jobs))]
    ready = [(-tail[index], index) for index, left in enumerate(waiting) if not left]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now, free_cores, free_gpus = 0.0, cores, gpus
    while ready or running:
        held = []
        while ready:
            entry = heapq.heappop(ready)
            one = jobs[entry[1]]
            wanted = min(one.cores, cores), min(one.gpus, gpus)
            if wanted[0] > free_cores or wanted[1] > free_gpus:
                held.append(entry)
                continue
            free_cores, free_gpus = free_cores - wanted[0], free_gpus - wanted[1]
            heapq.heappush(running, (now + one.seconds, entry[1]))
        for entry in held:
            heapq.heappush(ready, entry)
        now, done = heapq.heappop(running)
        free_cores += min(jobs[done].cores, cores)
        free_gpus += min(jobs[done].gpus, gpus)
        for after in behind[done]:
            waiting[after] -= 1
            if not waiting[after]:
                heapq.heappush(ready, (-tail[after], after))
    return now


# --- what was measured ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of Snakemake's benchmark files: wall seconds, CPU-seconds of the processes that it saw (it looks now and
    then, so the end of a job and what a short-lived child did are missing), and when it ended (seconds since 1970)."""

    seconds: float
    cpu: float
    ended: float


def measured(results: Path) -> dict[str, Measured | None]:
    """By name of the file without its ending (``phase0/rollout-000``): what its job took; None where its results came
    from the store, as the row (NA) or the log beside ``results`` says."""
    found: dict[str, Measured | None] = {}
    for path in sorted((results / "benchmarks").glob("*/*.tsv")):
        name = f"{path.parent.name}/{path.stem}"
        try:
            with path.open(encoding="utf-8") as lines:
                row = next(csv.DictReader(lines, delimiter="\t"))
            seconds, cpu = float(row["s"]), float(row["cpu_time"])
        except (OSError, StopIteration, KeyError, TypeError, ValueError):  # NA, or a row half written
            found[name] = None
            continue
        found[name] = Measured(seconds, cpu, path.stat().st_mtime) if math.isfinite(seconds) else None
    return found


def timing_name(job: Job) -> str:
    """The name that :func:`measured` has for a job."""
    path = Path(timing_of(job.place))
    return f"{path.parent.name}/{path.stem}"


def was_restored(place: str, logs: Path) -> bool:
    """Whether a stage of the job at ``place`` came from the store, as its log says: then its seconds are no rate. A
    node and the driver of a cluster say it in different words."""
    try:
        said = (logs / f"{place}.log").read_text("utf-8", "replace")
        return "restored from the store" in said or "restored from the artifact store" in said
    except OSError:
        return False


def timed(jobs: Iterable[Job], results: Path) -> tuple[list[tuple[Job, Measured]], list[Job]]:
    """The jobs that were computed, each with its row, and those whose results came from the store."""
    rows = measured(results)
    computed, restored = [], []
    for job in jobs:
        name = timing_name(job)
        if name in rows:
            row = rows[name]
            if row is None or was_restored(job.place, results.parent / "logs"):
                restored.append(job)
            else:
                computed.append((job, row))
    return computed, restored


def own_rates(computed: Iterable[tuple[Job, Measured]], config: Config, student: Pretrained | None, where: str) -> Own:
    """Factors from one's own jobs; see :mod:`teachable.workflow.rates`."""
    rows = [(job.stage, expect(job, config, student, Own()).seconds, row.seconds) for job, row in computed]
    return Own.of(rows, where)


# --- the teacher and the disk -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spent:
    """Requests to a teacher's endpoint, their tokens and US dollars."""

    requests: float
    prompt_tokens: float
    completion_tokens: float
    usd: float


def teacher_cost(asked: float, config: Config, ledger: Spent | None) -> Spent | None:
    """Of so many snapshots: requests, tokens, dollars; None for the oracle, which costs nothing. Tokens a request are
    the ledger's where it has any, else :data:`QUESTION` and :data:`ANSWER`."""
    if config.teacher.source != "openai":
        return None
    question, answer = QUESTION, ANSWER
    if ledger and ledger.requests:
        question, answer = ledger.prompt_tokens / ledger.requests, ledger.completion_tokens / ledger.requests
    return _cost(asked, config.teacher, question, answer)


def expert_cost(
    jobs: Iterable[Job], config: Config, stored: Mapping[str, Sequence[bool | None]] | None = None
) -> Spent | None:
    """Of a teacher that plays as the expert in these jobs, at most and without what the store is known to have; None
    where another expert plays. Tokens are :data:`QUESTION` and :data:`COMMAND`."""
    if config.expert.teacher is None:
        return None
    asked = sum(
        questions(call, config)
        for job in jobs
        for call, has in zip(job.calls, stored[job.place] if stored else [None] * len(job.calls), strict=True)
        if not has
    )
    return _cost(asked, config.expert.teacher, QUESTION, COMMAND)


def _cost(asked: float, teacher: Teacher, question: float, answer: float) -> Spent:
    requests = asked * ASKED
    price = teacher.prices[teacher.model]  # the configuration is refused without one
    usd = (question * price.input + answer * price.output) * requests / 1e6
    return Spent(requests, requests * question, requests * answer, usd)


def spent(cache: Path) -> Spent:
    """All settled requests in the ledger of a teacher's cache; torn lines count nothing."""
    requests: dict[str, Mapping[str, Any]] = {}
    for path in sorted((cache / "ledger").glob("*.jsonl")):
        for line in path.read_text("utf-8", "replace").splitlines():
            try:
                entry = json.loads(line)
                if entry["event"] == "settle":
                    requests[entry["request"]] = entry
            except (ValueError, KeyError, TypeError):
                continue
    paid = [entry for entry in requests.values() if entry.get("prompt_tokens")]
    return Spent(
        len(paid),
        sum(entry["prompt_tokens"] for entry in paid),
        sum(entry.get("completion_tokens") or 0 for entry in paid),
        sum(float(entry["usd"]) for entry in requests.values()),
    )


def size_of(place: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    if not place.is_dir():
        return place.lstat().st_size
    return sum(os.lstat(os.path.join(folder, file)).st_size for folder, _, files in os.walk(place) for file in files)


def in_order(phases: Iterable[str]) -> list[str]:
    """Phases in the order in which they run; those not known here (the paper) last."""
    return sorted(set(phases), key=lambda phase: (PHASES.index(phase) if phase in PHASES else len(PHASES), phase))


def total_work(
    jobs: Iterable[Job], config: Config, stored: Mapping[str, Sequence[bool | None]] | None = None
) -> dict[str, Work]:
    """By stage that has a unit: what all its jobs have to do, without what the store is known to have."""
    sums: dict[str, Work] = {}
    for job in jobs:
        there = stored[job.place] if stored else [None] * len(job.calls)
        for call, has in zip(job.calls, there, strict=True):
            one, before = count(call, config), sums.get(call.stage, Work(0))
            if one.unit != "jobs" and not has:
                sums[call.stage] = Work(
                    before.amount + one.amount,
                    one.unit,
                    before.decisions + one.decisions,
                    before.trained + one.trained,
                )
    return sums
