"""How far a run is: one line in place of Snakemake's count of jobs, weighted by the time that each job should take.

Snakemake counts jobs, and most of them take seconds: "20 %" stood at 26 of 45 minutes. Here a job counts by its
expected seconds (:mod:`teachable.workflow.rates`), one that runs in part, and one that came from the store as done.
What is left is reckoned as :func:`~teachable.workflow.plan.makespan` does, with the rates that this run has had so far.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from teachable.workflow.plan import Expected, makespan, place_of, was_restored
from teachable.workflow.rates import Own

NEARLY = 0.95  # of a job that runs: never done before it is
QUIET_S = 60.0  # with no job ended for so long, the line is said all the same
FRESH_S = 5.0  # a line is reckoned again after so long
SHOWN = 20  # lines of the log of a job that failed
WIDTH = 300  # characters of a line that says what a job is about
_READ = 20_000  # bytes at the end of a log


class Progress:
    """The jobs of a run, told of when each starts, ends or fails; :meth:`line` says how far they are.

    ``cores`` and ``gpus`` that there are at a time; ``jobs_at_once`` instead, on a cluster, which names no cores.
    ``spent``: US dollars of all runs so far, where a teacher costs any. ``clock``: seconds, only differences count.
    """

    def __init__(
        self,
        expected: Sequence[Expected],
        *,
        cores: int | None,
        gpus: int = 10**6,
        jobs_at_once: int | None = None,
        spent: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = {one.job.place: one for one in expected}
        self._total = sum(one.seconds for one in expected)
        self._cores, self._gpus = cores or 10**6, gpus
        self._on_cluster = cores is None
        self._at_once = jobs_at_once
        self._spent, self._clock = spent, clock
        self._begun = clock()
        self._spent_before = spent() if spent else 0.0
        self._running: dict[str, float] = {}  # place -> when it started
        self._done: set[str] = set()
        self._took: list[tuple[str, float, float]] = []  # stage, seconds expected, seconds taken

    def started(self, place: str) -> None:
        """The job runs, or on a cluster is queued; again, where it is tried again."""
        if place in self._jobs and place not in self._done:
            self._running[place] = self._clock()

    def failed(self, place: str) -> None:
        """The job ended without its results."""
        self._running.pop(place, None)

    def finished(self, place: str, *, restored: bool = False) -> None:
        """The job ended well. ``restored``: its results came from the store, so it says nothing about rates."""
        since = self._running.pop(place, None)
        if place not in self._jobs or place in self._done:
            return
        self._done.add(place)
        one = self._jobs[place]
        if since is not None and not restored and one.source != "store":
            self._took.append((one.job.stage, one.seconds, self._clock() - since))

    @property
    def done(self) -> frozenset[str]:
        """The places of the jobs that ended well."""
        return frozenset(self._done)

    @property
    def fraction(self) -> float:
        """Share of the expected seconds that is done, 0 to 1; a running job counts in part."""
        rates, now = self._rates(), self._clock()
        done = sum(self._jobs[place].seconds for place in self._done)
        for place, since in self._running.items():
            one = self._jobs[place]
            done += one.seconds * min(NEARLY, (now - since) / max(one.seconds * rates.factor(one.job.stage), 1e-9))
        return done / self._total if len(self._done) < len(self._jobs) else 1.0

    def left_s(self) -> float:
        """Seconds until the last job ends, at the rates of this run's own jobs so far."""
        rates, now = self._rates(), self._clock()
        left = []
        for place, one in self._jobs.items():
            if place in self._done:
                continue
            seconds = one.seconds * rates.factor(one.job.stage)
            if place in self._running:  # what lasts longer than it should is nearly done, and nobody knows when
                seconds = max(seconds - (now - self._running[place]), (1 - NEARLY) * seconds)
            left.append(replace(one, seconds=seconds, cores=1 if self._on_cluster else one.cores))
        cores = (self._at_once or 10**6) if self._on_cluster else self._cores
        return makespan(left, cores, self._gpus)

    def longest(self) -> tuple[str, float] | None:
        """The running job that takes longest, and its seconds so far."""
        if not self._running:
            return None
        place = min(self._running, key=self._running.__getitem__)
        return place, self._clock() - self._running[place]

    @property
    def usd(self) -> float:
        """US dollars that this run has spent; 0 where it asks no endpoint."""
        return 0.0 if self._spent is None else max(0.0, self._spent() - self._spent_before)

    def line(self) -> str:
        """``progress: 57 % of the expected time, 12 of 125 jobs; 19 min gone, about 14 min left, 0.12 USD``."""
        gone = self._clock() - self._begun
        said = f"progress: {self.fraction:.0%} of the expected time, {len(self._done)} of {len(self._jobs)} jobs; "
        said += f"{_time(gone)} gone"
        if len(self._done) < len(self._jobs):
            waiting = ", without waiting in the queue" if self._on_cluster else ""
            said += f", about {_time(self.left_s())} left{waiting}"
        if self._spent is not None:
            said += f", {self.usd:.2f} USD spent"
        return said

    def _rates(self) -> Own:
        """What jobs took over what was expected of them; one that runs takes at least what it has taken so far."""
        ended, now = Own.of(self._took, ""), self._clock()
        running = [(self._jobs[place], now - since) for place, since in self._running.items()]
        late = [
            (one.job.stage, one.seconds, gone)
            for one, gone in running
            if gone > one.seconds * ended.factor(one.job.stage) and one.source != "store"
        ]
        return Own.of([*self._took, *late], "") if late else ended


def took(followers: Sequence[Follower], since: float) -> str:
    """``Took 22 min, 0.12 USD``: what a run says of itself at its end, begun at ``since`` (seconds since the epoch);
    without the dollars where nobody followed it."""
    gone = f"Took {_time(time.time() - since)}"
    return f"{gone}, {sum(one.progress.usd for one in followers):.2f} USD" if followers else gone


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Follower(logging.Handler):
    """Follows a run by what Snakemake logs of its jobs, and says how far it is where Snakemake counts them.

    ``logger``: Snakemake's; :meth:`attach` puts the line into every handler that it has now. What a run was told to be
    quiet about stays unsaid: the count of jobs is hidden by ``--quiet progress``, and so is this.
    """

    def __init__(self, progress: Progress, logger: logging.Logger, *, logs: Path = Path("logs")) -> None:
        super().__init__(logging.INFO)
        self.progress, self._logger, self._logs = progress, logger, logs
        self._places: dict[int, str] = {}  # Snakemake's number of a job -> its place
        self._line, self._reckoned = "", float("-inf")
        self._over, self._said = threading.Event(), time.monotonic()

    def attach(self) -> None:
        """Begin to follow."""
        for handler in self._logger.handlers:
            if handler.formatter is not None:
                kept = isinstance(handler, logging.FileHandler)
                handler.setFormatter(_Instead(handler.formatter, self, width=None if kept else WIDTH))
        self._logger.addHandler(self)
        threading.Thread(target=self._speak_up, name="progress", daemon=True).start()

    def detach(self) -> None:
        """Stop following: nothing is said any more."""
        self._over.set()
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a job that starts, ends or fails; anything else is nothing to it."""
        event = _event(record)
        number = getattr(record, "jobid", getattr(record, "job_id", -1))
        try:
            if event == "JOB_INFO":
                place = place_of(getattr(record, "shellcmd", None) or "")
                self._places[number] = place
                self.progress.started(place)
            elif event == "JOB_FINISHED" and number in self._places:
                place = self._places[number]
                self.progress.finished(place, restored=was_restored(place, self._logs))
            elif event == "JOB_ERROR" and number in self._places:
                self.progress.failed(self._places[number])
        except Exception:
            self.handleError(record)

    def line(self) -> str:
        """The line of progress, at most :data:`FRESH_S` old, but for the last job's."""
        now = time.monotonic()
        if now - self._reckoned > FRESH_S or self.progress.fraction >= 1.0:
            self._line, self._reckoned = self.progress.line(), now
        self._said = now
        return self._line

    def _speak_up(self) -> None:
        """Say the line, and what the longest job said last, where no job has ended for :data:`QUIET_S`."""
        while not self._over.wait(QUIET_S / 4):
            if time.monotonic() - self._said < QUIET_S:
                continue
            with self.lock or threading.RLock():
                longest = self.progress.longest()
                said = self.line()
            if longest is not None:
                place, seconds = longest
                said += f"; {place} runs for {_time(seconds)}{_last_line(self._logs / f'{place}.log')}"
            self._logger.info(said, extra={"event": None, **_quietness()})


class _Instead(logging.Formatter):
    """The formatter of a handler, with a better line in place of the count of jobs, of a failed job's log the last
    lines, where Snakemake shows all of it, and of the files of a job that starts no more than ``width`` characters a
    line (those of the last job are kilobytes); None: all, for the log."""

    def __init__(self, formatter: logging.Formatter, follower: Follower, *, width: int | None = WIDTH) -> None:
        super().__init__()
        self._formatter, self._follower, self._width = formatter, follower, width

    def format(self, record: logging.LogRecord) -> str:
        event = _event(record)
        if event == "PROGRESS":
            return self._follower.line()
        if event == "JOB_INFO" and self._width is not None:
            return "\n".join(_cut(line, self._width) for line in self._formatter.format(record).splitlines())
        if event != "JOB_ERROR" or not getattr(self._formatter, "show_failed_logs", False):
            return self._formatter.format(record)
        self._formatter.show_failed_logs = False  # type: ignore[attr-defined]
        try:
            said = self._formatter.format(record)
        finally:
            self._formatter.show_failed_logs = True  # type: ignore[attr-defined]
        return "\n".join([said, *(_end_of(Path(log)) for log in getattr(record, "log", None) or ())])


def _cut(line: str, width: int) -> str:
    """The beginning of a list that is longer than ``width`` characters, and how many more there are."""
    if len(line) <= width:
        return line
    between = ", " if ", " in line[:width] else " "
    kept, _, _ = line[:width].rpartition(between)
    return f"{kept}{between}and {line[len(kept) + len(between) :].count(between) + 1} more"


def _event(record: logging.LogRecord) -> str:
    """The name of Snakemake's event, e.g. JOB_INFO; empty for an ordinary message."""
    return str(getattr(getattr(record, "event", None), "name", ""))


def _quietness() -> dict[str, object]:
    """What hides a line under ``--quiet progress``."""
    from snakemake.settings.enums import Quietness

    return {"quietness": Quietness.PROGRESS}


def _last_line(log: Path) -> str:
    """What a stage said last, e.g. how many of its episodes are played; empty where it has said nothing."""
    lines = _tail(log)
    return f": {lines[-1].strip()[:120]}" if lines else ""


def _end_of(log: Path) -> str:
    """The last lines of a failed stage's log, and where the rest is."""
    lines = _tail(log)
    if not lines:
        return f"{log} says nothing."
    shown = lines[-SHOWN:]
    return "\n".join([f"the last {len(shown)} lines of {log}:", *(f"    {line}" for line in shown)])


def _tail(log: Path) -> list[str]:
    """The lines at the end of a file that are not empty; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            size = log.stat().st_size
            file.seek(max(0, size - _READ))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [line for line in lines[size > _READ :] if line.strip()]  # the first may be torn
