"""A fresh clone with a warm store: seconds until every result is back, and whether it is the same, byte for byte.

    python benchmarks/warm_clone.py --finished DIR --store DIR [--preset laptop] [--rounds 3]

``--finished`` is the working directory of a finished run of the preset and ``--store`` the store it filled. Every round
runs the whole workflow in an empty directory. Prints the median and writes ``benchmarks/out/warm_clone.json``; ends
with status 1 if a file differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from pathlib import Path

from runs import ROOT, run


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every result, figure and table by name; not of run statistics."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("results", "figures", "tables")
        for path in sorted((directory / top).rglob("*"))
        if path.is_file() and path.name != ".snakemake_timestamp" and "benchmarks" not in path.parts[-4:]
    }


def restore(store: Path, preset: str, directory: Path) -> float:
    """Seconds of a whole run in ``directory``."""
    started = time.monotonic()
    run(directory, store, "--cores", "2", "--config", f"preset={preset}")
    return time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--preset", default="laptop")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    wanted = digests(arguments.finished.resolve())
    seconds, different, computed = [], set(), 0
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory(prefix="clone-") as name:
            seconds.append(restore(arguments.store.resolve(), arguments.preset, Path(name)))
            found = digests(Path(name))
            different |= {key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)}
            logs = [path.read_text().splitlines()[-1] for path in (Path(name) / "logs").rglob("*.log")]
            computed += sum(not line.endswith("restored from the store") for line in logs)
    result = {
        "preset": arguments.preset,
        "files": len(wanted),
        "seconds": [round(value, 1) for value in seconds],
        "median_s": round(statistics.median(seconds), 1),
        "jobs_computed": computed,
        "different": sorted(different),
    }
    out = ROOT / "benchmarks/out/warm_clone.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return int(bool(different) or computed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
