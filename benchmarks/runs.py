"""Runs of the real workflow in a directory of their own: the command and the environment the benchmarks share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def command(directory: Path, *arguments: str, root: Path = ROOT) -> list[str]:
    """Snakemake on the workflow of the repository (or copy of it) at ``root``, working in ``directory``."""
    return [
        str(BIN / "snakemake"),
        *("--snakefile", str(root / "Snakefile")),
        *("--directory", str(directory)),
        *("--profile", str(root / "profiles/default")),
        *arguments,
    ]


def environment(store: Path | str, *, root: Path = ROOT, before: Path | None = None) -> dict[str, str]:
    """This environment with the store, the sources of ``root``, and ``before`` first on the path."""
    path = [*([str(before)] if before else []), str(BIN), os.environ["PATH"]]
    return {
        **os.environ,
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": str(root / "src"),
        "PYTHONHASHSEED": "0",
        "TEACHABLE_STORE": str(store),
    }


def run(directory: Path, store: Path | str, *arguments: str, root: Path = ROOT) -> str:
    """What Snakemake printed, run to its end; raises RuntimeError with the last of that when it fails."""
    done = subprocess.run(
        command(directory, *arguments, root=root),
        env=environment(store, root=root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-4000:])
    return done.stdout
