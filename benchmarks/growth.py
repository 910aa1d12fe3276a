"""Labelling once, twice, four and eight times as many snapshots: time and peak memory, each in a process of its own.

    python benchmarks/growth.py [--results results] [--snapshots 30] [--rounds 2]

`ratio` is the peak memory at eight times the snapshots over that at once: flat is 1. Time should grow as the snapshots
do; `seconds_ratio` is the CPU-seconds of one snapshot at eight times over that at once, without what a process takes to
start. Writes `results/growth.json`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import workload
from side_by_side import row, write

from teachable.student import Student

TIMES = (1, 2, 4, 8)
WHAT = "peak memory of labelling 8 times as many snapshots over that of labelling them once"


def child(results: Path, snapshots: int) -> None:
    """Label the first snapshots; prints CPU-seconds of this process and its engines, and peak memory in MB."""
    torch.set_num_threads(1)
    run = workload.open_run(results)
    student = Student.load(run.weights, device="cpu")
    if len(run.snapshots) < snapshots:
        raise SystemExit(f"{results} has {len(run.snapshots)} snapshots, too few for {snapshots}.")
    before = used()
    run.label(student, snapshots)
    after = used()
    print(json.dumps({"cpu": after - before, "mb": peak()}))


def peak() -> float:
    """Largest resident memory of this process so far, MB. (``ru_maxrss`` begins with that of whoever started it.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def used() -> float:
    """CPU-seconds of this process and of what it has waited for."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in every)


def fresh(results: Path, snapshots: int) -> dict[str, float]:
    """What `child` prints, from a process of its own."""
    line = [sys.executable, __file__, "--results", str(results), "--child", str(snapshots)]
    done = subprocess.run(
        line, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(given: Any) -> list[dict[str, Any]]:
    rounds = [{times: fresh(given.results, times * given.snapshots) for times in TIMES} for _ in range(given.rounds)]
    found = []
    for times in reversed(TIMES):
        memory = [one[times]["mb"] / one[1]["mb"] for one in rounds]
        found.append(
            {
                "case": f"{times * given.snapshots} snapshots against {given.snapshots}",
                "ratio": float(np.median(memory)),
                "ours": float(np.median([one[times]["mb"] for one in rounds])),
                "peer": float(np.median([one[1]["mb"] for one in rounds])),
                "spread": [min(memory), max(memory)],
                "unit": "MB",
                "cpu_s": float(np.median([one[times]["cpu"] for one in rounds])),
                "seconds_ratio": float(np.median([one[times]["cpu"] / times / one[1]["cpu"] for one in rounds])),
            }
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = workload.arguments(__doc__)
    parser.add_argument("--snapshots", type=int, default=30, help="of the smallest size")
    parser.add_argument("--child", type=int, help="what a process of its own is told")
    given = parser.parse_args(arguments)
    if given.child:
        child(given.results, given.child)
        return
    write(row("growth", WHAT, measure(given)), given.into)


if __name__ == "__main__":
    main()
