"""What is looked at, said and asked before the first job of a run, and who follows it from there."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachable.artifacts.catalogue import RESULTS
from teachable.artifacts.store import Store
from teachable.config import Config
from teachable.errors import TeachableError
from teachable.stages import STAGES
from teachable.workflow.during import Follower, Progress
from teachable.workflow.plan import (
    Expected,
    Job,
    expect,
    expert_cost,
    jobs_of,
    look_in_store,
    makespan,
    size_of,
    spent,
    teacher_cost,
    total_work,
)
from teachable.workflow.rates import CARD, Own, pretrained
from teachable.workflow.ready import disk_bytes, look, require


class Declined(TeachableError):
    """A run above a limit that somebody, or the configuration, did not want."""


@dataclass(frozen=True)
class Plan:
    """What a run is about to do: its jobs, each with the time it would take, dollars and disk at most."""

    jobs: Sequence[Expected]
    restored: int  # jobs that the store is known to have
    usd: float  # of the teacher, who advises, and of one who plays as the expert
    disk: float  # bytes still to be written
    on_paper: bool  # a pretrained student: nothing of it was measured

    @classmethod
    def of(cls, lines: Iterable[str], config: Config, store: Store | None) -> Plan:
        """From the shell lines of the jobs. ``store``: where results are looked up, None where they are not.

        Raises TeachableError where nothing says how large the student is.
        """
        student = pretrained(config)
        lines = list(lines)
        jobs = jobs_of(lines)
        stored = _looked_up(jobs, lines, store)
        work = total_work(jobs, config, stored)
        asked = work["advise"].amount if "advise" in work else 0.0
        costs = (
            teacher_cost(asked, config, spent(Path(config.teacher.cache))),
            expert_cost(jobs, config, stored),
        )
        results = Path(RESULTS)
        return cls(
            [expect(job, config, student, Own(), stored[job.place]) for job in jobs],
            sum(all(stored[job.place]) for job in jobs),
            sum(cost.usd for cost in costs if cost),
            max(0.0, disk_bytes(config) - (size_of(results) if results.exists() else 0)) if jobs else 0.0,
            config.student.source == "hf",
        )

    @property
    def core_hours(self) -> float:
        return sum(one.seconds * one.cores for one in self.jobs) / 3600

    @property
    def gpu_hours(self) -> float:
        return sum(one.seconds * one.gpus for one in self.jobs) / 3600


def begin(workflow: Any, config: Config, logger: logging.Logger) -> list[Follower]:
    """Look at what a later job of Snakemake's ``workflow`` would be refused for, say and ask what the run plans, and
    follow it from here on; no follower where there is nothing to follow, or no plan.

    Raises TeachableError where something is missing, and :class:`Declined`.
    """
    methods = {method.name.lower() for method in workflow.deployment_settings.deployment_method}
    if methods:
        logger.warning(without_effect(methods))
    needed = list(workflow.dag.needrun_jobs())
    kept = Store.from_environment()
    require(look(config, store=kept.root if kept else None, jobs={job.rule.name for job in needed}), logger.info)
    # -F and -R ask for computing, not for the store.
    forced = workflow.dag_settings.forceall or workflow.dag_settings.forcerun
    lines = [job.shellcmd for job in needed if job.shellcmd]
    try:
        plan = Plan.of(lines, config, None if forced else kept)
    except TeachableError as error:
        logger.info(f"plan: unknown: {error}")
        return []
    # A cluster has no number of cores, and `workflow.cores` raises there.
    resources = workflow.resource_settings
    logger.info(at_start(plan, resources.cores))
    ask(plan, config, logger.info)
    if not plan.jobs:
        return []
    paid = _spending(config)
    follower = Follower(Progress(plan.jobs, cores=resources.cores, jobs_at_once=resources.nodes, spent=paid), logger)
    follower.attach()
    return [follower]


def _spending(config: Config) -> Callable[[], float] | None:
    """US dollars in the ledgers of all endpoints that the run may ask; None where it asks none."""
    asked = [config.teacher] if config.teacher.source == "openai" else []
    asked += [config.expert.teacher] if config.expert.teacher is not None else []
    asked += [config.judge.endpoint(config.teacher)] if config.judge.asked else []
    caches = {Path(one.cache) for one in asked}
    return (lambda: sum(spent(cache).usd for cache in caches)) if caches else None


def _looked_up(jobs: Sequence[Job], lines: Sequence[str], store: Store | None) -> Mapping[str, list[bool | None]]:
    """What the store has, job by job (:func:`look_in_store`). In a process of its own where that looks at the machine:
    the libraries of models would stay in the driver's memory for the whole run."""
    looks = {call.stage for job in jobs for call in job.calls if STAGES[call.stage].beside}
    if store is None or not any(store.knows(stage) for stage in looks):
        return look_in_store(jobs, store)
    asked = json.dumps({"lines": lines, "store": str(store.root)})
    command = [sys.executable, "-m", "teachable.workflow.start"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise TeachableError(f"the store {store.root} cannot be looked up: {last[0]}")
    found: Mapping[str, list[bool | None]] = json.loads(done.stdout)
    return found


def without_effect(methods: Collection[str]) -> str:
    """What to say of methods of software deployment (``--sdm conda``), of which the workflow uses none; empty where
    there are none: it has one environment, and jobs run in that of their driver."""
    if not methods:
        return ""
    return (
        f"--sdm {' '.join(sorted(methods))} sets up nothing: no rule has an environment of its own, and all run in "
        f"{sys.prefix}, where Snakemake does. `mamba env create -f envs/teachable.yaml` makes one, a Containerfile "
        "another (docs/install.md)."
    )


def at_start(plan: Plan, cores: int | None) -> str:
    """One line for the start of a run: its hours by the reference rates. A cluster names no number of cores: there the
    line says the hours alone."""
    gpus = plan.gpu_hours
    on = f"{plan.core_hours:.2f} core-hours" + (f" and {gpus:.2f} GPU-hours of a card {CARD}" if gpus else "")
    wall = "" if gpus or cores is None else f", {makespan(plan.jobs, cores, 0) / 60:.0f} minutes on {cores} cores"
    rates = "on paper" if plan.on_paper else "at reference rates"
    stored = f"{plan.restored} of {len(plan.jobs)} jobs" if plan.restored else "nothing"
    return f"plan: about {on}{wall}, {rates} and with {stored} from the store; `teachable plan` tells more"


def above(plan: Plan, config: Config) -> list[str]:
    """What of the plan is above its limit in ``ask_above``, a phrase each."""
    limits = config.ask_above
    amounts = [
        ("core_hours", plan.core_hours, limits.core_hours, "core-hours"),
        ("gpu_hours", plan.gpu_hours, limits.gpu_hours, "GPU-hours"),
        ("usd", plan.usd, limits.usd, "USD for the teacher"),
        ("disk_gb", plan.disk / 1e9, limits.disk_gb, "GB of disk"),
    ]
    return [
        f"{amount:,.1f} {what} (ask_above.{name}: {limit:g})"
        for name, amount, limit, what in amounts
        if limit is not None and amount > limit
    ]


def ask(
    plan: Plan,
    config: Config,
    tell: Callable[[str], object],
    *,
    at_terminal: bool | None = None,
    answer: Callable[[str], str] = input,
) -> None:
    """Ask before a run above a limit where somebody is at the terminal; elsewhere ``tell`` it, and stop where
    ``ask_above.unanswered`` says so. Raises :class:`Declined`."""
    beyond = above(plan, config)
    if not beyond:
        return
    said = f"This run plans {', '.join(beyond)}"
    if at_terminal is None:
        at_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if at_terminal:
        tell(f"{said}.")
        try:
            yes = answer("Go on? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            yes = False
        if not yes:
            raise Declined(
                f"{said}, and the answer was no: nothing was run. Raise the limit, or choose another preset."
            )
    elif config.ask_above.unanswered == "stop":
        raise Declined(
            f"{said}, and nobody is at a terminal to be asked: nothing was run. Raise the limit, set "
            "ask_above.unanswered to go, or start it at a terminal."
        )
    else:
        tell(f"{said}: it goes on, for nobody is at a terminal to be asked.")


if __name__ == "__main__":
    told = json.load(sys.stdin)
    json.dump(look_in_store(jobs_of(told["lines"]), Store(Path(told["store"]))), sys.stdout)
