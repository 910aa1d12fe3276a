"""What the benchmarks against peers share: rounds that take turns, ratios, the machine, rows, a peer's own process.

A slow moment of the machine should hit both sides alike, so they take turns round by round, whoever begins changing
from round to round; a ratio is the median over rounds of one round's ratio, its spread the lowest and highest of them.
Seconds are CPU-seconds of the side's own process, as each side reports them: what else the machine does counts little.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"
OUT = ROOT / "benchmarks/out"
PEERS = ROOT / ".venv-benchmarks/bin/python"


@dataclass(frozen=True, slots=True)
class Took:
    """What one piece of work took."""

    cpu: float  # CPU-seconds
    wall: float  # seconds


def timed(work: Callable[[], Any]) -> tuple[Any, Took]:
    """What ``work`` returns, and what it took in this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return found, Took(time.process_time() - cpu, time.perf_counter() - wall)


def take_turns(sides: Mapping[str, Callable[[], Took]], rounds: int, warm: bool = True) -> dict[str, list[Took]]:
    """Every side once a round; a round to warm up before the first is not counted."""
    names = list(sides)
    found: dict[str, list[Took]] = {name: [] for name in names}
    for number in range(-1 if warm else 0, rounds):
        for name in [*names[number % len(names) :], *names[: number % len(names)]]:
            took = sides[name]()
            if number >= 0:
                found[name].append(took)
    return found


def compared(ours: Sequence[Took], peer: Sequence[Took], scale: float = 1.0) -> dict[str, Any]:
    """Medians of both sides and of the rounds' ratios peer / ours; ``scale``: how much of the work the peer did not do,
    as a factor of its seconds."""
    ratios = [scale * b.cpu / a.cpu for a, b in zip(ours, peer, strict=True)]
    return {
        "ratio": float(np.median(ratios)),
        "ours": float(np.median([one.cpu for one in ours])),
        "peer": float(scale * np.median([one.cpu for one in peer])),
        "spread": [min(ratios), max(ratios)],
        "unit": "CPU-seconds",
        "rounds": len(ratios),
        "ratio_wall": float(np.median([scale * b.wall / a.wall for a, b in zip(ours, peer, strict=True)])),
    }


def machine() -> str:
    """Processor, cores that this process may use, memory."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}"


def busy() -> float:
    """Processes that run or wait to, on average over the last minute, beside this one."""
    return max(0.0, os.getloadavg()[0] - 1.0)


def row(name: str, what: str, cases: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """The row of a benchmark: its first case is what it is about, the others stand beside it."""
    head = {key: cases[0][key] for key in ("ratio", "ours", "peer", "spread")}
    return {
        "name": name,
        **head,
        "machine": machine(),
        "load": round(busy(), 1),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "what": what,
        **more,
        "cases": list(cases),
    }


def write(found: Mapping[str, Any], folder: Path = RESULTS) -> None:
    """``folder/<name>.json``, whole or not at all; and a line on the screen for each of its cases."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found['name']}.json"
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(rounded(found), indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
    for case in found["cases"]:
        low, high = case["spread"]
        print(f"{found['name']}, {case['case']}: {case['ratio']:.2f} [{low:.2f}, {high:.2f}]", flush=True)


def rounded(value: Any) -> Any:
    """Numbers to four figures: more is noise, and a diff that nobody reads."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


class Peer:
    """A script of ``benchmarks/peers`` in the peers' environment: it answers each line of JSON with one."""

    def __init__(self, script: str, threads: int, python: Path = PEERS) -> None:
        if not python.exists():
            raise SystemExit(f"{python} is missing: `make benchmark` makes the peers' environment.")
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [str(python), str(ROOT / "benchmarks/peers" / script), str(threads)],
            env={**kept, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        """The answer to one question. Raises RuntimeError where the peer has ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with status {self._process.wait()}; what it said stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
