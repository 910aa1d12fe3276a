"""Members of array jobs are submitted as they become ready: none is dropped, and none waits for another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_executor_plugin_slurm import Executor as SlurmExecutor

from snakemake_executor_plugin_teachable import Executor


def job(rule: str, *, group: bool = False) -> Any:
    return SimpleNamespace(
        rule=SimpleNamespace(name=rule),
        name=rule,
        is_group=lambda: group,
    )


class Recorded:
    """What would go to the queue: arrays, and jobs by themselves."""

    arrays: list[list[Any]]
    single: list[Any]

    def _submit_array_jobs(self, jobs: list[Any]) -> None:
        self.arrays.append(list(jobs))

    def _submit_job(self, job: Any) -> None:
        self.single.append(job)


def executor(base: type, array_jobs: set[str], pending: list[Any]) -> Any:
    """One with the plugin's real ``run_jobs`` and no cluster behind it: only what it submits with is replaced."""
    made = object.__new__(type("Tried", (Recorded, base), {}))
    made.arrays, made.single = [], []
    made.store = None
    made._main_event_loop = None
    made.array_jobs, made.max_array_size = array_jobs, 1000
    made.logger = SimpleNamespace(debug=lambda text: None, warning=lambda text: None)
    dag = SimpleNamespace(needrun_jobs=lambda *_, **__: pending, finished=lambda job: False, jobs=pending)
    made.workflow = SimpleNamespace(dag=dag)
    return made


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Five jobs of a rule that wait to be run, by the plugin's own count."""
    monkeypatch.setattr("snakemake_executor_plugin_slurm.pending_jobs_for_rule", lambda dag, rule: 5)
    return [job("rollout") for _ in range(5)]


def test_each_member_is_submitted_once(shards: list[Any]) -> None:
    ours = executor(Executor, {"rollout"}, shards)
    ours.run_jobs(shards[:2])
    ours.run_jobs(shards[2:3])
    ours.run_jobs(shards[3:])
    assert ours.arrays == [shards[:2], shards[3:]]
    assert ours.single == [shards[2]]


def test_the_plugin_alone_drops_them(shards: list[Any]) -> None:
    """What the guard is for; where this fails, the plugin has been mended and the guard may go."""
    theirs = executor(SlurmExecutor, {"all"}, shards)
    for first in range(0, 4, 2):
        theirs.run_jobs(shards[first : first + 2])
    assert not theirs.arrays
    assert not theirs.single


def test_groups_and_other_rules_are_left_to_the_plugin(shards: list[Any]) -> None:
    together, other = job("rollout", group=True), job("train")
    ours = executor(Executor, {"rollout"}, shards)
    ours.run_jobs([together, other, *shards])
    assert ours.arrays == [shards]
    assert ours.single == [together, other]


def test_without_array_jobs_nothing_changes(shards: list[Any]) -> None:
    ours = executor(Executor, set(), shards)
    ours.run_jobs(shards)
    assert ours.single == shards
    assert not ours.arrays
