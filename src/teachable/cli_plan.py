"""``teachable plan`` and ``teachable costs``: what a run will take, said before it, and what it took."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.artifacts.catalogue import ARTIFACTS, RESULTS
from teachable.errors import ConfigError, MissingInput

if TYPE_CHECKING:
    from teachable.config import Config
    from teachable.workflow.plan import Expected, Job, Measured
    from teachable.workflow.rates import Own, Pretrained

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

SLOWEST = 10


def add_plan_parsers(commands: Subparsers) -> None:
    """Register ``plan`` and ``costs``; the chosen one is ``arguments.run(arguments) -> int``."""
    plan = commands.add_parser(
        "plan",
        help="what a run would take: jobs, hours, teacher, disk",
        description="Jobs by phase, what the store has of them, hours, wall time, the teacher's price and disk, and "
        "where each number comes from. Nothing is run or written. docs/plan.md tells more.",
    )
    plan.add_argument("targets", nargs="*", metavar="TARGET", help="as given to snakemake (default: everything)")
    plan.add_argument("--preset", default=None, help="default: the one that made results/, else the file's")
    plan.add_argument("--file", default="workflow_config.yaml")
    plan.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as given to snakemake")
    plan.add_argument("--cores", "-c", type=_positive, default=None, help="default: those of this machine")
    plan.add_argument("--gpus", type=_positive, default=1, help="at the same time (default: %(default)s)")
    plan.add_argument(
        "--card",
        default=None,
        help="on which a pretrained student is reckoned (default: A100; docs/plan.md has the table)",
    )
    plan.add_argument(
        "--like",
        type=Path,
        metavar="DIR",
        help=f"results whose jobs give the rates (default: {RESULTS}, where it has timings)",
    )
    plan.set_defaults(run=_plan)

    costs = commands.add_parser(
        "costs",
        help="what a run took, beside what was planned",
        description="Time, teacher and disk by phase, the slowest jobs, and beside each phase what `teachable plan` "
        "says from the reference rates. During a run: of what is done.",
    )
    costs.add_argument("results", nargs="?", type=Path, default=Path(RESULTS), help="default: %(default)s")
    costs.add_argument(
        "--card",
        default=None,
        help="on which a pretrained student is reckoned (default: A100; docs/plan.md has the table)",
    )
    costs.set_defaults(run=_costs)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of them")
    return number


def _plan(arguments: argparse.Namespace) -> int:
    """Raises ConfigError for the configuration, TeachableError where the workflow cannot be planned."""
    from teachable.artifacts.store import Store
    from teachable.workflow import plan
    from teachable.workflow.configuration import given_configuration
    from teachable.workflow.rates import CARD, pretrained
    from teachable.workflow.ready import disk_bytes

    config, _ = given_configuration(arguments.file, arguments.config, arguments.preset, RESULTS)
    student = pretrained(config, arguments.card)
    overrides = [text for text in arguments.config if not text.startswith("preset=")]
    with ThreadPoolExecutor(1) as beside:  # two dry runs, side by side
        rates = beside.submit(_own_rates, arguments.like, config, student)
        jobs = plan.dry_run("--config", f"preset={config.preset}", *overrides, "--", *arguments.targets)
        own, why = rates.result()
    store = Store.from_environment(config.store.path if config.store.enabled else None)
    stored = plan.look_in_store(jobs, store)
    expected = [plan.expect(job, config, student, own, stored[job.place]) for job in jobs]
    cores = arguments.cores or len(os.sched_getaffinity(0))

    print(f"preset {config.preset}, world {config.world.name}, student {_student(config)}: {len(jobs)} jobs to run")
    if not jobs:
        return 0
    _print_phases(expected, stored, gpus=bool(config.resources.gpus))
    print()
    left = plan.total_work(jobs, config, stored)
    for stage, work in left.items():
        print(f"  {stage:17s}{work.amount:12,.0f} {work.unit}{_model_work(work) if student else ''}")
    print()
    held = f"{cores} cores" + (
        f" and {arguments.gpus} GPU(s), {arguments.card or CARD}" if config.resources.gpus else ""
    )
    wall = plan.makespan(expected, cores, arguments.gpus)
    chain = plan.makespan(expected, 10**6, 10**6)
    print(f"wall time: {_time(wall)} on {held}; {_time(chain)} on any number, the longest chain of jobs")
    print(f"teacher: {_teacher(config, left['advise'].amount if 'advise' in left else 0)}")
    if playing := plan.expert_cost(jobs, config, stored):
        print(
            f"expert: {config.expert.name}, {playing.requests:,.0f} requests at most ({plan.ASKED:g} a decision), "
            f"{playing.prompt_tokens / 1e6:.2f} + {playing.completion_tokens / 1e6:.2f} million tokens (assumed, "
            f"{plan.QUESTION:,.0f} and {plan.COMMAND:g} a request), {playing.usd:.2f} USD"
        )
    adapters = (
        "" if student is None or student.is_here else ", without adapters (of unknown size: the model is not here)"
    )
    print(
        f"disk: {_bytes(disk_bytes(config))} for the whole of {RESULTS}{adapters}, and as much again in a store "
        "(measured: sizes of a game and of a snapshot's rows)"
    )
    print(f"rates: {why}")
    if student:
        print(f"paper: {student}: assumed, not measured")
    return 0


def _own_rates(like: Path | None, config: Config, student: Pretrained | None) -> tuple[Own, str]:
    """Rates from the timings of finished jobs, and a sentence on them."""
    from teachable.workflow import plan
    from teachable.workflow.rates import Own

    results = like or Path(RESULTS)
    table = "the reference table (preset laptop on 2 cores of 2026; docs/plan.md)"
    if not any((results / "benchmarks").glob("*/*.tsv")):
        if like:
            raise MissingInput(f"--like {like}: there are no timings in {like / 'benchmarks'}.")
        return Own(), f"reference: {table}; {results / 'benchmarks'} has no timings"
    theirs = _resolved(results)
    if _hardware(theirs) != _hardware(config):
        return Own(), f"reference: {table}; {results} is of another student or world, so its timings say nothing here"
    computed, restored = plan.timed(_jobs_of_results(results), results)
    own = plan.own_rates(computed, theirs, student, str(results))
    if not own.every[1]:
        return Own(), f"reference: {table}; {results} has no job that was computed"
    left_out = f" ({len(restored)} that came from the store are left out)" if restored else ""
    return own, (
        f"own: {own.every[1]} jobs in {results / 'benchmarks'}{left_out}, which took {own.every[0]:.2f} times what "
        f"{table} says; a stage without one takes that factor"
    )


def _hardware(config: Config) -> Any:
    return (config.student, config.world.name, config.resources.gpus, config.resources.threads, config.lora) + (
        (config.builtin.hidden, config.builtin.layers) if config.student.source == "builtin" else ()
    )


def _costs(arguments: argparse.Namespace) -> int:
    """Raises MissingInput where there is no run in the directory."""
    from teachable.workflow import plan
    from teachable.workflow.rates import Own, pretrained

    results: Path = arguments.results
    config = _resolved(results)
    student = pretrained(config, arguments.card)
    jobs = _jobs_of_results(results)
    computed, restored = plan.timed(jobs, results)
    print(
        f"{results}: preset {config.preset}, {len(computed)} jobs computed, {len(restored)} from the store, "
        f"{len(jobs) - len(computed) - len(restored)} of {len(jobs)} without a timing"
    )
    planned = [plan.expect(job, config, student, Own()) for job, _ in computed]
    _print_costs(results, computed, planned, restored)
    print()
    print(
        "planned: by the reference table (docs/plan.md), of the jobs that were computed; job time: of all jobs, "
        "also of those side by side; CPU: what Snakemake saw of it"
    )
    if computed:
        first, last = min(row.ended - row.seconds for _, row in computed), max(row.ended for _, row in computed)
        print(f"wall time: {_time(last - first)} from the first of these jobs to the last")
    print(f"teacher: {_advice(results, config)}")
    if student:
        print(f"paper: {student}")
    if computed:
        print("slowest jobs:")
    for (job, row), one in sorted(zip(computed, planned, strict=True), key=lambda pair: -pair[0][1].seconds)[:SLOWEST]:
        print(f"  {job.place:34s}{_time(row.seconds):>10s}   planned {_time(one.seconds)}")
    return 0


def _print_costs(
    results: Path, computed: Sequence[tuple[Job, Measured]], planned: Sequence[Expected], restored: Sequence[Job]
) -> None:
    from teachable.workflow import plan

    print(
        f"\n{'phase':9s}{'computed':>9s}{'restored':>9s}{'job time':>10s}{'CPU':>9s}{'planned':>9s}"
        f"{'ratio':>7s}{'disk':>10s}"
    )
    totals = [0.0] * 6
    shown = {"viewer": "paper"}  # where a phase's files lie under another name
    directories = {place.name for place in results.glob("*") if place.is_dir()} - {"benchmarks"}
    timed = [job.phase for job in [*(job for job, _ in computed), *restored]]
    for phase in plan.in_order([*timed, *(shown.get(name, name) for name in directories)]):
        rows = [(row, one.seconds) for (job, row), one in zip(computed, planned, strict=True) if job.phase == phase]
        places = [results / name for name in directories if shown.get(name, name) == phase]
        numbers = [
            float(len(rows)),
            float(sum(job.phase == phase for job in restored)),
            sum(row.seconds for row, _ in rows),
            sum(row.cpu for row, _ in rows),
            sum(seconds for _, seconds in rows),
            float(sum(map(plan.size_of, places))),
        ]
        totals = [a + b for a, b in zip(totals, numbers, strict=True)]
        _print_cost(phase, numbers)
    _print_cost("all", totals)


def _print_cost(phase: str, numbers: Sequence[float]) -> None:
    jobs, restored, seconds, cpu, planned, size = numbers
    ratio = f"{seconds / planned:.2f}" if planned else "-"
    print(
        f"{phase:9s}{jobs:9.0f}{restored:9.0f}{_time(seconds):>10s}{_time(cpu):>9s}{_time(planned):>9s}{ratio:>7s}"
        f"{_bytes(size) if size else '-':>10s}"
    )


def _print_phases(expected: Sequence[Expected], stored: dict[str, list[bool | None]], *, gpus: bool) -> None:
    from teachable.workflow import plan

    print(
        f"\n{'phase':9s}{'jobs':>6s}{'stored':>8s}{'unknown':>9s}{'core-hours':>12s}"
        + (f"{'GPU-hours':>11s}" if gpus else "")
        + "  rates"
    )
    by_phase: dict[str, list[Expected]] = defaultdict(list)
    for one in expected:
        by_phase[one.job.phase].append(one)
    for phase in [*plan.in_order(by_phase), "all"]:
        rows = list(expected) if phase == "all" else by_phase[phase]
        states = [stored[one.job.place] for one in rows]
        print(
            f"{phase:9s}{len(rows):6d}{sum(all(state) for state in states):8d}"
            f"{sum(None in state for state in states):9d}"
            f"{sum(one.seconds * one.cores for one in rows) / 3600:12.2f}"
            + (f"{sum(one.seconds * one.gpus for one in rows) / 3600:11.2f}" if gpus else "")
            + ("" if phase == "all" else f"  {_sources(rows)}")
        )


def _sources(rows: Iterable[Expected]) -> str:
    """Where the rates are from, those of most time first."""
    weights: dict[str, float] = defaultdict(float)
    for one in rows:
        weights[one.source] += one.seconds
    return ", ".join(sorted(weights, key=lambda source: -weights[source]))


def _model_work(work: Any) -> str:
    parts = [(work.decisions, "decisions"), (work.trained, "examples trained on")]
    said = ", ".join(f"{number:,.0f} {what}" for number, what in parts if number)
    return f" ({said})" if said else ""


def _student(config: Config) -> str:
    return "built-in" if config.student.source == "builtin" else str(config.student.path)


def _teacher(config: Config, asked: float) -> str:
    from teachable.workflow import plan

    cache = Path(config.teacher.cache)
    ledger = plan.spent(cache)
    cost = plan.teacher_cost(asked, config, ledger)
    if cost is None:
        return f"oracle, about {asked:,.0f} snapshots at most, 0 USD (the game's own solver)"
    kept = sum(1 for _ in cache.glob("answers/*/*.json"))
    tokens = (
        f"{ledger.requests:,.0f} requests in the ledger"
        if ledger.requests
        else f"assumed, {plan.QUESTION:,.0f} and {plan.ANSWER:g} a request (docs/teacher.md)"
    )
    said = (
        f"{config.teacher.model}, {cost.requests:,.0f} requests at most ({plan.ASKED:g} a snapshot: assumed), "
        f"{cost.prompt_tokens / 1e6:.2f} + {cost.completion_tokens / 1e6:.2f} million tokens ({tokens}), "
        f"{cost.usd:.2f} USD (teacher.prices; budget {config.teacher.budget_usd:g} USD, {ledger.usd:.2f} spent)"
    )
    return said + (
        f"; the cache has {kept:,} answers, which cost nothing again: how many fit is unknown" if kept else ""
    )


def _advice(results: Path, config: Config) -> str:
    """What the advice that is there took, and what the ledger has of all runs."""
    import polars as pl

    from teachable import tables
    from teachable.workflow import plan

    whole = results / ARTIFACTS["advice"].whole
    parts = [whole] if whole.exists() else sorted((results / "phase0/advice").glob("*.parquet"))
    if not parts:
        return "not asked yet"
    rows = pl.concat([tables.read(path, tables.ADVICE) for path in parts])
    attempts, prompt, completion, usd = (
        rows[name].sum() or 0 for name in ("attempts", "prompt_tokens", "completion_tokens", "cost_usd")
    )
    said = f"{len(rows):,} snapshots, {rows['valid'].sum():,} with valid advice"
    if config.teacher.source != "openai":
        return f"oracle, {said}, 0 USD"
    ledger = plan.spent(Path(config.teacher.cache))
    cost = plan.teacher_cost(len(rows), config, None)
    planned = f"; planned {cost.requests:,.0f} requests, {cost.usd:.2f} USD" if cost else ""
    return (
        f"{config.teacher.model}, {said}: {attempts:,} requests, {prompt:,} + {completion:,} tokens, {usd:.2f} USD"
        f"{planned}; {ledger.usd:.2f} USD in the ledger of all runs"
    )


def _resolved(results: Path) -> Config:
    """The configuration that a run has kept of itself; how its jobs work, which is no part of that, as it is here."""
    from teachable.config.load import load_config, preset_names, read_yaml
    from teachable.tables import read_json

    path = results / ARTIFACTS["config"].path
    if not path.is_file():
        raise MissingInput(
            f"{path} is missing: there is no run in {results} whose configuration is known. `teachable plan` says what "
            "one would take."
        )
    kept = read_json(path)
    if not isinstance(kept, dict):
        raise ConfigError(f"{path}: is no configuration: it must be a JSON object.")
    raw, preset = read_yaml("workflow_config.yaml"), str(kept.get("preset"))
    here = load_config(raw, preset=preset if preset in preset_names(raw) else None).model_dump(mode="json")
    whole = {key: kept.get(key, value) for key, value in here.items()}
    for key, value in whole.items():
        if isinstance(value, dict) and isinstance(here[key], dict):
            whole[key] = {**here[key], **value}
    return load_config({**kept, **whole, "presets": {preset: {}}}, source=str(path))


def _jobs_of_results(results: Path) -> list[Job]:
    """All jobs that a run with that configuration has, planned where nothing lies."""
    from teachable.workflow import plan

    with tempfile.TemporaryDirectory() as nowhere:
        kept = (results / ARTIFACTS["config"].path).absolute()
        return plan.dry_run("--configfile", str(kept), directory=Path(nowhere))


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
