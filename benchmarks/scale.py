"""What the workflow costs the driver: planning, and finding that nothing is to be done, by size of the experiment.

    python benchmarks/scale.py [--snapshots 3000 100000 1000000]

Plans preset paper with more and more snapshots (100 to a shard, so a million snapshots are 20,000 jobs of labelling)
and prints jobs, seconds and peak memory of the driver. Then it lets a stand-in for the stages "make" preset paper,
empty files in milliseconds, and measures a run that has nothing to do. Writes ``benchmarks/out/scale.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from runs import ROOT, command, environment

STAND_IN = """#!/bin/sh
out=0
for word in "$@"; do
    case $word in
    --in|--params|--then) out=0 ;;
    --out) out=1 ;;
    *) if [ $out = 1 ]; then
           path=${word#*=}
           case ${path##*/} in *.*) mkdir -p "${path%/*}"; echo "$path" > "$path" ;; *) mkdir -p "$path" ;; esac
       fi ;;
    esac
done
"""


@dataclass(frozen=True)
class Row:
    what: str
    jobs: int
    seconds: float
    memory_mb: float  # largest resident set of the driver


def snakemake(directory: Path, *arguments: str, programs: Path | None = None) -> tuple[str, float, float]:
    """Output, seconds and megabytes of one run."""
    log = directory / "driver.log"
    started = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command(directory, *arguments),
            env=environment("off", before=programs),
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    output = log.read_text()
    if process.returncode != 0:
        raise RuntimeError(output[-3000:])
    return output, time.monotonic() - started, usage.ru_maxrss / 1024


def plan(snapshots: int) -> Row:
    with tempfile.TemporaryDirectory() as directory:
        config = ["preset=paper", f"snapshots={{max_snapshots: {snapshots}}}"]
        output, seconds, memory = snakemake(Path(directory), "--dry-run", "--quiet", "rules", "--config", *config)
    total = re.search(r"^total\s+(\d+)", output, re.MULTILINE)
    assert total, output[-2000:]
    return Row(f"plan, {snapshots:,} snapshots", int(total[1]), seconds, memory)


def nothing_to_do() -> list[Row]:
    """A run of preset paper by the stand-in, and one after it."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        program = directory / "bin" / "teachable"
        program.parent.mkdir()
        program.write_text(STAND_IN)
        program.chmod(0o755)
        arguments = ("--cores", str(os.cpu_count()), "--config", "preset=paper")
        output, seconds, memory = snakemake(directory, *arguments, programs=program.parent)
        found = re.search(r"(\d+) of \1 steps \(100%\) done", output)
        assert found, output[-2000:]
        made = Row("all jobs, made by a stand-in", int(found[1]), seconds, memory)
        output, seconds, memory = snakemake(directory, *arguments, programs=program.parent)
        assert "Nothing to be done" in output, output[-2000:]
        return [made, Row("nothing to do", 0, seconds, memory)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshots", type=int, nargs="*", default=[3_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    rows = [*nothing_to_do(), *(plan(count) for count in arguments.snapshots)]
    for row in rows:
        print(f"{row.what:34s}{row.jobs:8,d} jobs {row.seconds:8.1f} s {row.memory_mb:8.0f} MB")
    out = ROOT / "benchmarks/out/scale.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
