"""Preset smoke through ``--profile slurm``, on a real SLURM, with trouble on the way."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from teachable.artifacts.store import Store
from workflow.workplace import BIN, ROOT, Workplace, differing, results_of, wait_until

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.timeout(3600)]

CONFIG = ("--config", "preset=smoke", "resources={gpus: 1}")  # the GPUs of the test cluster are make-believe
WITH_STUDENT = ("rollout", "action_values", "microtrain", "train_1", "evaluate_1", "drift", "features", "build_student")


@dataclass(frozen=True)
class Clone:
    """The workflow's files, as a clone has them, and the cluster's partitions."""

    directory: Path
    store: Path
    cluster: Path

    @classmethod
    def make(cls, directory: Path, store: Path, cluster: Path) -> Clone:
        directory.mkdir()
        for name in ("Snakefile", "workflow_config.yaml", "rules", "profiles", "docs"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, directory / name)
        (directory / "slurm").symlink_to("profiles/slurm")
        return cls(directory, store, cluster)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.directory / "driver.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "snakemake", "--profile", "slurm", "--latency-wait", "10",
                 "--teachable-init-seconds-before-status-checks", "1",
                 "--teachable-max-seconds-between-status-checks", "1", *arguments],
                cwd=self.directory,
                env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONHASHSEED": "0",
                     "TEACHABLE_STORE": str(self.store),
                     "SNAKEMAKE_SLURM_PARTITIONS": str(self.cluster / "partitions.yaml")},
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return (self.directory / "driver.log").read_text()

    @property
    def submissions(self) -> int:
        return self.log.count("has been submitted with SLURM jobid")

    @property
    def submitted(self) -> list[str]:
        """The rules of the jobs that were sent to the cluster."""
        return re.findall(r"partition '\w+' for job (\w+)", self.log)


def queue(states: str = "PD,R,CF,CG") -> list[str]:
    """Jobs of the cluster in these states."""
    return subprocess.check_output(["squeue", "-h", "-t", states, "-o", "%A"], text=True).split()


def running_jobs() -> list[str]:
    return queue("R")


def test_smoke_to_the_end_with_a_cancelled_job_and_a_killed_driver(
    cluster: Path, smoke: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("cold")
    clone = Clone.make(root / "clone", root / "store", cluster)
    driver = clone.start(*CONFIG)
    wait_until(lambda: (clone.directory / "results/student").exists() or driver.poll() is not None, 900)
    wait_until(lambda: bool(running_jobs()) or driver.poll() is not None, 60)
    assert driver.poll() is None, clone.log[-4000:]
    subprocess.run(["scancel", running_jobs()[0]], check=True)  # the profile tries again
    panels = clone.directory / "results/phase1/panels.parquet"
    wait_until(lambda: panels.exists() or driver.poll() is not None, 900)
    wait_until(lambda: len(running_jobs()) > 1 or driver.poll() is not None, 60)
    assert driver.poll() is None, clone.log[-4000:]
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_until(lambda: not queue(), 180)  # what was queued runs to its end and is published
    before = clone.submissions
    assert clone.start("--unlock", *CONFIG).wait(60) == 0
    driver = clone.start(*CONFIG)
    assert driver.wait(2400) == 0, clone.log[-4000:]
    assert (clone.directory / "results/report.html").exists()
    assert differing(clone.directory, smoke.directory) == []
    published = Counter(event["key"] for event in Store(clone.store).events() if event["event"] == "published")
    assert set(published.values()) == {1}  # nothing was computed twice, not even what ended while nobody looked
    assert before < clone.submissions < 70
    placed = {rule: partition for partition, rule in re.findall(r"partition '(\w+)' for job (\w+)", clone.log)}
    assert {placed[rule] for rule in WITH_STUDENT} == {"gpu"}
    assert {placed[rule] for rule in ("make_tasks", "advise", "predict", "restore_check")} == {"cpu"}
    assert not {"label", "examples", "fig_h1_1"} & placed.keys()  # seconds of work: beside the driver


def test_a_fresh_clone_takes_all_from_the_store_that_another_machine_filled(
    cluster: Path, smoke: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("warm")
    clone = Clone.make(root / "clone", Path(smoke.store), cluster)
    arguments = ("--config", "preset=smoke")
    assert clone.start(*arguments).wait(300) == 0, clone.log[-4000:]
    assert clone.submitted == ["link_student"]  # the device that a student will run on is known on a node only
    assert differing(clone.directory, smoke.directory) == []
    assert results_of(clone.directory).keys() == results_of(smoke.directory).keys()
    assert clone.start("--forcerun", "check_splits", *arguments, "--", "phase0").wait(300) == 0, clone.log[-4000:]
    assert clone.submitted == ["link_student", "check_splits"]
