"""A SLURM executor that looks into the artifact store before it asks the queue.

``snakemake --executor teachable`` submits jobs as the ``slurm`` executor does, of which this one is a
subclass. Before that, it reads every job's shell command with the parser of the program itself, computes the
key of the artifact (the inputs exist by then) and, where the store has it, puts verified copies in place and
reports the job as done: nothing is submitted. Snakemake writes its own metadata as for any job. On the node
the program looks once more, because another run may have published meanwhile.

Jobs forced with ``-F``, ``-R`` or ``-f`` are never restored, neither here nor on the node
(``TEACHABLE_STORE_REFRESH``); those that a killed driver left unfinished are, once they are in the store.
``TEACHABLE_STORE=off`` turns the store off; the executor is then the plain SLURM one.

The shell command of a job and the reason for it are not in the stable interface of executor plugins. The
package pins Snakemake below 10 and the SLURM plugin below 3 for that, and a test on a real cluster holds it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm import common_settings
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor

from snakemake_executor_plugin_teachable.settings import ExecutorSettings, misplaced_keys
from teachable.artifacts.commandline import Invocation, StageLike, parse_shell
from teachable.artifacts.recipe import Recipe
from teachable.artifacts.store import ENVIRONMENT_REFRESH, Restored, Store
from teachable.errors import TeachableError

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

_LOOKUPS = 4  # at once: hashing and copying release the interpreter, and a network disk likes a few streams
_STEP = 0.1  # seconds between looks at whether the run is over, while waiting for the next status query


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A job that the store may have."""

    job: Any
    calls: tuple[tuple[Invocation, Recipe], ...]


class Executor(SlurmExecutor):
    """The SLURM executor, behind the store."""

    def __post_init__(self, test_mode: bool = False) -> None:
        misplaced = misplaced_keys(sys.argv)
        if misplaced:
            # the slurm plugin is installed too, so its keys parse, and are then read by nobody
            raise WorkflowError(
                f"{', '.join(misplaced)}: settings of the executor 'slurm' have no effect on the executor "
                f"'teachable'; write {misplaced[0].replace('--slurm-', '--teachable-')} instead "
                "(in a profile without the dashes in front)."
            )
        self._stages = _load_stages(self.workflow.executor_settings.stages)
        self.store = Store.from_environment()
        super().__post_init__(test_mode)
        self.restored = 0
        if self.store is None:
            self.logger.info("Artifact store: off. Every job goes to the queue.")
        else:
            refresh = ", nothing is restored (refresh)" if self.store.refresh else ""
            self.logger.info(f"Artifact store: {self.store.root}{refresh}.")

    def run_jobs(self, jobs: list[Any]) -> None:
        """Restore what the store has; submit the rest."""
        submit = list(jobs)
        if self.store is not None and not self.workflow.remote_execution_settings.immediate_submit:
            groups = [job for job in jobs if job.is_group()]
            single = [job for job in jobs if not job.is_group()]
            done = self._restore(single)
            done.update(group for group in groups if self._restore_group(group))
            submit = [job for job in jobs if job not in done]
            for job in jobs:
                if job in done:
                    self.report_job_success(SubmittedJobInfo(job))
        if submit:
            super().run_jobs(self._submit_arrays(submit))

    def _submit_arrays(self, jobs: list[Any]) -> list[Any]:
        """Submit the members of array jobs as they are offered; returns the jobs that are no members.

        The SLURM plugin holds members back until all of their rule are ready, drops them meanwhile and is never offered
        them again, while each keeps one of the ``--jobs`` for ever: a run whose shards become ready one by one comes to
        a standstill (snakemake-executor-plugin-slurm, issue 473; 2.8.0 has it). Here an array has those that are ready.
        """
        members: dict[str, list[Any]] = {}
        rest = []
        for job in jobs:
            if job.is_group() or not self.array_jobs & {"all", job.rule.name}:
                rest.append(job)
            else:
                members.setdefault(job.rule.name, []).append(job)
        for ready in members.values():
            if len(ready) == 1:
                self._submit_job(ready[0])
            else:
                self._submit_array_jobs(ready)
        return rest

    def get_job_exec_prefix(self, job: Any) -> str:
        """Tell the node that a forced job is to be computed anew."""
        prefix: str = super().get_job_exec_prefix(job)
        if any(self._forced(member) for member in _members(job)):
            refresh = f"export {ENVIRONMENT_REFRESH}=1"
            return f"{prefix} && {refresh}" if prefix else refresh
        return prefix

    async def sleep(self) -> None:
        """Wait for the next status query, but no longer than the run lasts or the settings allow."""
        longest = self.workflow.executor_settings.max_seconds_between_status_checks
        ends = time.monotonic() + min(self.next_seconds_between_status_checks, longest)
        while self.wait and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(_STEP, left))

    def shutdown(self) -> None:
        if self.restored:
            self.logger.info(f"Artifact store: {self.restored} jobs restored without a submission.")
        super().shutdown()

    def _restore(self, jobs: Iterable[Any]) -> set[Any]:
        """The jobs among ``jobs`` whose outputs are in place now."""
        assert self.store is not None
        store = self.store
        with ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="store") as pool:
            lines = [(job, calls) for job in jobs if (calls := self._invocations(job))]
            looked = pool.map(lambda line: self._look(store, *line), lines)
            hits = [hit for hit in looked if hit is not None]
            for hit in hits:
                # marks the outputs as incomplete until Snakemake has written its metadata, so that a driver
                # killed in between does not leave files that pass for up to date; not the method of
                # RemoteExecutor, which would also put the job among those that are polled for ever
                self.run_job_pre(hit.job)
                RealExecutor.report_job_submission(self, SubmittedJobInfo(hit.job))
            results = list(pool.map(lambda hit: self._fetch(store, hit), hits))
        done = set()
        for hit, result in zip(hits, results, strict=True):
            if result:
                self._finish(hit, result)
                done.add(hit.job)
            else:
                self.logger.warning(f"Job {hit.job.jobid} cannot be restored ({result}); it goes to the queue.")
        return done

    def _restore_group(self, group: Any) -> bool:
        """Restore a group's jobs level by level, as later keys need earlier outputs; all or the group is submitted."""
        return all(len(self._restore(level)) == len(level) for level in map(list, group.toposorted))

    def _invocations(self, job: Any) -> list[Invocation]:
        """The stages a job runs; none when it runs something else, is forced, or runs with other software
        than this process.
        """
        rule = job.rule
        if self._forced(job) or rule.shellcmd is None or job.shadow_dir is not None or _deploys(self.workflow, job):
            return []
        if any(getattr(file, "is_storage", False) for file in (*job.input, *job.output)):
            return []
        try:
            calls = parse_shell(job.shellcmd, self._stages)
        except TeachableError as error:
            self.logger.warning(f"Job {job.jobid} is not looked up in the store: {error}")
            return []
        made = {os.path.normpath(path) for call in calls for path in call.outputs.values()}
        if calls and any(os.path.normpath(file) not in made for file in job.output):
            self.logger.warning(
                f"Job {job.jobid} is not looked up in the store: its rule has outputs its line has not."
            )
            return []
        return calls

    def _look(self, store: Store, job: Any, calls: list[Invocation]) -> _Lookup | None:
        if store.refresh or any(self._stages[call.stage].beside for call in calls):
            return None  # what a stage finds beside its inputs is known where it runs, on that device
        try:
            looked = tuple((call, call.recipe(self._stages[call.stage], store.digest)) for call in calls)
            return _Lookup(job, looked) if all(store.holds(recipe) for _, recipe in looked) else None
        except (TeachableError, OSError) as error:
            self.logger.warning(f"Job {job.jobid} is not looked up in the store: {error}")
            return None

    def _fetch(self, store: Store, hit: _Lookup) -> Restored:
        """Restore every stage of a job; the first that cannot be is the result."""
        size, key = 0, ""
        for call, recipe in hit.calls:
            try:
                result = store.restore(recipe, call.outputs)
            except (TeachableError, OSError) as error:
                return Restored("absent", recipe.key, problems=(str(error),))
            if not result:
                return result
            size, key = size + result.size, key or result.key
        return Restored("restored", key, size)

    def _finish(self, hit: _Lookup, result: Restored) -> None:
        self.restored += 1
        note = f"restored from the artifact store, key {result.key}"
        for log in hit.job.log:
            if not Path(log).exists():
                Path(log).parent.mkdir(parents=True, exist_ok=True)
                Path(log).write_text(note + "\n", encoding="utf-8")
        if hit.job.benchmark:
            _write_benchmark(Path(hit.job.benchmark), self.workflow.output_settings)
        self.logger.info(f"Job {hit.job.jobid} {note[:49]} ({result.size} bytes).")

    def _forced(self, job: Any) -> bool:
        """Whether the user forces the job. Snakemake itself forces, too, what an interrupted driver left unfinished:
        that may be restored, because outputs are put in place whole or not at all."""
        if not self.workflow.dag.reason(job).forced:
            return False
        settings = self.workflow.dag_settings
        if settings.forceall or settings.forcetargets:
            return True
        asked = {item if item == job.rule.name else os.path.relpath(item) for item in settings.forcerun}
        return not asked.isdisjoint({job.rule.name, *map(os.path.relpath, job.output)})


def _members(job: Any) -> list[Any]:
    return list(job.jobs) if job.is_group() else [job]


def _deploys(workflow: Any, job: Any) -> bool:
    """Whether the job would run in an environment or image of its own, with libraries this process cannot see."""
    if not workflow.deployment_settings.deployment_method:
        return False
    return bool(job.conda_env or job.container_img or job.env_modules)


def _load_stages(place: str) -> Mapping[str, StageLike]:
    module, _, attribute = place.partition(":")
    try:
        stages: Mapping[str, StageLike] = getattr(importlib.import_module(module), attribute or "STAGES")
    except (ImportError, AttributeError) as error:
        raise WorkflowError(f"--teachable-stages {place}: {error}") from error
    return stages


def _write_benchmark(path: Path, settings: Any) -> None:
    """A benchmark row that says that nothing was measured; a missing file would be a missing output."""
    from snakemake.benchmark import BenchmarkRecord

    header = BenchmarkRecord.get_header(getattr(settings, "benchmark_extended", False))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text('{"restored": true}\n', encoding="utf-8")
    else:
        rows = ("\t".join(header), "\t".join("NA" for _ in header))
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
