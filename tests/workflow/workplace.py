"""Runs of the real Snakefile, in directories of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
UP_TO_LABELS = (
    "phase0/tasks_warmstart",
    "phase0/tasks_train",
    "phase0/tasks_test",
    "phase0/steps",
    "phase0/episodes",
    "phase0/snapshots",
    "phase0/advice",
    "phase0/retention_panel",
    "phase1/estimates",
    "phase1/action_values",
    "phase1/label_episodes",
    "phase1/tree_nodes",
    "phase1/labeled_snapshots",
    "phase1/panels",
)
AFTER = (
    "phase1b/microtraining",
    "phase1b/micro_episodes",
    "phase3/metrics",
    "phase3/transfer",
    "phase4/predictions",
    "phase5/metrics",
)
NOT_COMPARED = ("seconds",)  # wall time


@dataclass(frozen=True)
class Workplace:
    """A directory in which the workflow runs, with its store."""

    directory: Path
    store: str

    def snakemake(self, *arguments: str, timeout: float = 1500, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                "snakemake",
                "--snakefile",
                str(ROOT / "Snakefile"),
                "--directory",
                str(self.directory),
                *arguments,
            ],
            env={
                **os.environ,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "PYTHONHASHSEED": "0",
                "TEACHABLE_STORE": self.store,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def smoke(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        result = self.snakemake("--cores", "2", "--config", "preset=smoke", "--", *arguments, **environment)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
        return result

    def path(self, name: str) -> Path:
        return self.directory / name


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Return once ``condition`` holds; fail after so many seconds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.2)


def compare(one: Path, other: Path, after: Sequence[str] = AFTER) -> None:
    """Two runs with the same seed: equal bytes up to the labels, equal values in the tables of ``after``."""
    for name in UP_TO_LABELS:
        assert (one / f"results/{name}.parquet").read_bytes() == (other / f"results/{name}.parquet").read_bytes(), name
    for name in after:
        first, second = (
            pl.read_parquet(place / f"results/{name}.parquet").drop(NOT_COMPARED, strict=False)
            for place in (one, other)
        )
        assert first.equals(second), name
