"""The line of progress, on a recorded run of preset laptop: when it says half, half of the time is gone."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.logging import DefaultFormatter, LogEvent

from teachable.artifacts.commandline import Invocation
from teachable.workflow.during import WIDTH, Follower, Progress, took
from teachable.workflow.plan import Expected, Job

# 121 jobs of preset laptop, seed 2, on 2 cores of a machine that had much else to do, in the order of the plan: place,
# stage, numbers of the jobs that it reads from, seconds expected by the reference rates, seconds from the start of the
# run to the job's start and end. It took 37 minutes and was planned to take 21.
RECORDED = json.loads((Path(__file__).parent / "recorded_run.json").read_text())


class Clock:
    """Seconds, set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def recorded_jobs() -> list[Expected]:
    return [
        Expected(
            Job(place, (Invocation(stage, {"x": [Path(str(one)) for one in reads]}, {"y": Path(str(number))}),)),
            seconds,
            1,
            0,
            "reference",
        )
        for number, (place, stage, reads, seconds, _, _) in enumerate(RECORDED)
    ]


def events() -> list[tuple[float, str, str]]:
    """(second, "start" or "end", place), in order; what ends at a second does so before anything starts."""
    found = [(start, "start", place) for place, _, _, _, start, _ in RECORDED]
    found += [(end, "end", place) for place, _, _, _, _, end in RECORDED]
    return sorted(found, key=lambda event: (event[0], event[1]))


def replay(until: float, *, restored: frozenset[str] = frozenset()) -> tuple[Progress, Clock]:
    clock = Clock()
    progress = Progress(recorded_jobs(), cores=2, clock=clock)
    for second, what, place in events():
        if second > until:
            break
        clock.now = second
        if what == "start":
            progress.started(place)
        else:
            progress.finished(place, restored=place in restored)
    clock.now = until
    return progress, clock


TOOK = max(end for *_, end in RECORDED)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.6, 0.75, 0.9])
def test_the_share_that_is_said_is_the_share_that_is_gone(share: float) -> None:
    progress, _ = replay(share * TOOK)
    assert progress.fraction == pytest.approx(share, abs=0.1)
    assert progress.left_s() == pytest.approx((1 - share) * TOOK, rel=0.35)


def test_a_count_of_jobs_says_less() -> None:
    """What the line is for: over the whole run the share of jobs is further from the share of time."""
    seconds = [TOOK * tenth / 20 for tenth in range(1, 20)]
    ours = sum(abs(replay(at)[0].fraction - at / TOOK) for at in seconds)
    counted = sum(abs(sum(end <= at for *_, end in RECORDED) / len(RECORDED) - at / TOOK) for at in seconds)
    assert ours < counted / 2


def test_it_never_goes_back_at_an_end_and_ends_whole() -> None:
    clock, before = Clock(), 0.0
    progress = Progress(recorded_jobs(), cores=2, clock=clock)
    for second, what, place in events():
        clock.now = second
        (progress.started if what == "start" else progress.finished)(place)
        done = sum(one.seconds for one in recorded_jobs() if one.job.place in progress.done) / sum(
            one.seconds for one in recorded_jobs()
        )
        assert done >= before
        assert progress.fraction >= done - 1e-9
        before = done
    assert progress.fraction == 1.0
    assert progress.line() == "progress: 100% of the expected time, 121 of 121 jobs; 37 min gone"


def test_what_came_from_the_store_is_done_and_says_nothing_about_rates() -> None:
    """Jobs restored in a second would make all others look fast."""
    clock = Clock()
    progress = Progress(recorded_jobs(), cores=2, clock=clock)
    left = progress.left_s()
    first = [one for one in recorded_jobs() if one.job.stage == "make-tasks"]
    for one in first:
        progress.started(one.job.place)
        clock.now += 1
        progress.finished(one.job.place, restored=True)
    assert progress.fraction == pytest.approx(
        sum(one.seconds for one in first) / sum(one.seconds for one in recorded_jobs())
    )
    restored = progress.left_s()
    assert restored < left
    clock.now = 0.0
    other = Progress(recorded_jobs(), cores=2, clock=clock)
    for one in first:
        other.started(one.job.place)
        clock.now += 1
        other.finished(one.job.place)
    assert other.left_s() < restored / 5, "as if they had been computed"


def test_a_first_job_that_is_late_makes_the_rest_late() -> None:
    """On a busy machine nobody has to wait for an end to know."""
    clock = Clock()
    progress = Progress(recorded_jobs(), cores=2, clock=clock)
    place, _, _, seconds, _, _ = RECORDED[0]
    progress.started(place)
    on_time = progress.left_s()
    clock.now = 3 * seconds
    assert progress.left_s() > 2.5 * on_time
    assert progress.fraction < 0.05


def test_a_job_that_fails_runs_no_longer_and_may_be_tried_again() -> None:
    clock = Clock()
    progress = Progress(recorded_jobs(), cores=2, clock=clock)
    place = RECORDED[0][0]
    progress.started(place)
    clock.now = 20.0
    assert progress.longest() == (place, 20.0)
    assert progress.fraction > 0
    progress.failed(place)
    assert progress.longest() is None
    assert progress.fraction == 0
    progress.started(place)
    assert progress.longest() == (place, 0.0)


def test_a_cluster_has_no_cores_and_a_teacher_costs() -> None:
    clock, paid = Clock(), iter([1.25, 1.25 + 0.375])
    progress = Progress(recorded_jobs(), cores=None, jobs_at_once=4, clock=clock, spent=lambda: next(paid))
    assert progress.left_s() < Progress(recorded_jobs(), cores=2, clock=clock).left_s()
    line = progress.line()
    assert line.startswith("progress: 0% of the expected time, 0 of 121 jobs; 0 s gone, about ")
    assert line.endswith(" left, without waiting in the queue, 0.38 USD spent")


# --- as Snakemake logs ------------------------------------------------------------------------------------------------


@pytest.fixture
def logged() -> tuple[logging.Logger, list[str]]:
    """A logger like Snakemake's, with its own formatter, and what it has said."""
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    logger = logging.Logger("snakemake-like", logging.INFO)
    handler = Kept()
    handler.setFormatter(DefaultFormatter())
    logger.addHandler(handler)
    return logger, said


def follow(logger: logging.Logger, logs: Path, clock: Callable[[], float]) -> Follower:
    follower = Follower(Progress(recorded_jobs(), cores=2, clock=clock), logger, logs=logs)
    follower.attach()
    return follower


def test_the_line_stands_where_snakemake_counts(logged: tuple[logging.Logger, list[str]], tmp_path: Path) -> None:
    logger, said = logged
    clock = Clock()
    follower = follow(logger, tmp_path / "logs", clock)
    place = RECORDED[0][0]
    shell = f"teachable make-tasks --out y=0 > logs/{place}.log 2>&1"
    info = SimpleNamespace(event=LogEvent.JOB_INFO, jobid=7, shellcmd=shell, rule_msg="Make games", reason="")
    logger.info("", extra=vars(info))
    clock.now = 30.0
    logger.info("Finished", extra={"event": LogEvent.JOB_FINISHED, "job_id": 7})
    logger.info(None, extra={"event": LogEvent.PROGRESS, "done": 1, "total": 122})
    assert follower.progress.done == {place}
    assert said[-1].startswith("progress: 2% of the expected time, 1 of 121 jobs; 30 s gone, about ")
    assert not any("of 122 steps" in line for line in said)
    follower.detach()
    assert follower not in logger.handlers


def test_a_job_of_many_files_takes_few_lines_on_the_console_and_all_in_the_log(
    logged: tuple[logging.Logger, list[str]], tmp_path: Path
) -> None:
    logger, said = logged
    kept = logging.FileHandler(tmp_path / "snakemake.log")
    kept.setFormatter(DefaultFormatter())
    logger.addHandler(kept)
    follower = follow(logger, tmp_path / "logs", Clock())
    files = [f"figures/fig_{number}.pdf" for number in range(400)]
    reason = f"Missing output files: a.txt; Input files updated by another job: {', '.join(files)}"
    info = {"event": LogEvent.JOB_INFO, "jobid": 0, "shellcmd": None, "rule_msg": "The whole is done", "reason": reason}
    logger.info("", extra=info)
    follower.detach()
    kept.close()
    shown = said[-1].splitlines()
    assert max(map(len, shown)) < WIDTH + 20
    assert shown[1] == "Job 0: The whole is done"
    assert shown[2].startswith(
        "Reason: Missing output files: a.txt; Input files updated by another job: figures/fig_0.pdf, "
    )
    left = int(shown[2].rpartition("and ")[2].removesuffix(" more"))
    assert shown[2].count("figures/") + left == len(files)
    assert reason in (tmp_path / "snakemake.log").read_text()


def test_a_run_says_what_it_took_and_what_it_paid() -> None:
    paid = iter([1.25, 1.25 + 0.375])
    follower = Follower(Progress(recorded_jobs(), cores=2, spent=lambda: next(paid)), logging.Logger("none"))
    assert took([follower], time.time() - 22 * 60) == "Took 22 min, 0.38 USD"
    free = Follower(Progress(recorded_jobs(), cores=2), logging.Logger("none"))
    assert took([free], time.time() - 30) == "Took 30 s, 0.00 USD"
    assert took([], time.time() - 30) == "Took 30 s"


@pytest.mark.parametrize("words", ["label: restored from the store", "restored from the artifact store, key 0a"])
def test_a_log_tells_what_came_from_the_store(
    logged: tuple[logging.Logger, list[str]], tmp_path: Path, words: str
) -> None:
    logger, _ = logged
    clock = Clock()
    follower = follow(logger, tmp_path, clock)
    place = RECORDED[0][0]
    (tmp_path / f"{place}.log").parent.mkdir(parents=True)
    (tmp_path / f"{place}.log").write_text(words)
    left = follower.progress.left_s()
    shell = f"teachable make-tasks --out y=0 > logs/{place}.log 2>&1"
    logger.info(
        "", extra={"event": LogEvent.JOB_INFO, "jobid": 0, "shellcmd": shell, "rule_msg": "Games", "reason": ""}
    )
    clock.now = 1.0
    logger.info("", extra={"event": LogEvent.JOB_FINISHED, "job_id": 0})
    assert left - 60 < follower.progress.left_s() <= left, "the rates of all others stay as they were"
    follower.detach()


def test_a_long_job_is_heard_of(
    logged: tuple[logging.Logger, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachable.workflow.during.QUIET_S", 0.2)
    logger, said = logged
    follower = follow(logger, tmp_path, Clock())
    follower.progress.started("student/build")
    (tmp_path / "student").mkdir()
    (tmp_path / "student/build.log").write_text("one\n3200/25600 examples  55.0/s  407 s left\n")
    for _ in range(100):
        if said:
            break
        time.sleep(0.1)
    follower.detach()
    assert said[0].endswith("; student/build runs for 0 s: 3200/25600 examples  55.0/s  407 s left")


def test_of_a_failed_log_the_last_lines_are_shown(logged: tuple[logging.Logger, list[str]], tmp_path: Path) -> None:
    logger, said = logged
    logger.handlers[0].setFormatter(DefaultFormatter(show_failed_logs=True))
    follower = follow(logger, tmp_path, Clock())
    log = tmp_path / "train.log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)) + "teachable: the reason\n")
    error = {
        "event": LogEvent.JOB_ERROR, "jobid": 3, "rule_name": "train", "msg": "", "rule_msg": "", "input": [],
        "output": [], "log": [str(log)], "conda_env": None, "shellcmd": "teachable train", "aux": {},
    }  # fmt: skip
    del error["msg"]
    logger.error("", extra=error)
    follower.detach()
    shown = said[-1].splitlines()
    assert "Error in rule train:" in shown[1]
    assert shown[-1] == "    teachable: the reason"
    assert shown[-20] == "    line 99981"
    assert shown[-21] == f"the last 20 lines of {log}:"
    assert "line 99980" not in said[-1]
