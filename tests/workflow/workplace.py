"""Runs of the real Snakefile, in directories of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


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

    def copied(self, directory: Path) -> Workplace:
        """What stands here, once more in ``directory``, on the same store."""
        shutil.copytree(self.directory, directory, symlinks=True, ignore=shutil.ignore_patterns("modules"))
        return Workplace(directory, self.store)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Return once ``condition`` holds; fail after so many seconds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.2)


def results_of(directory: Path) -> dict[str, bytes]:
    """Every result by its path, but for what tells of the work done in this very run: benchmark rows, token counts."""
    rows, counts = directory / "results/benchmarks", directory / "results/engine.json"
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for folder in ("results", "figures", "tables")
        for path in sorted((directory / folder).rglob("*"))
        if path.is_file() and not path.is_relative_to(rows) and path != counts
    }


def differing(one: Path, other: Path) -> list[str]:
    """The results of the run in ``one`` that the run in ``other`` lacks, or has with other bytes."""
    found = results_of(other)
    return [name for name, content in results_of(one).items() if found.get(name) != content]
