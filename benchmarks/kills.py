"""Random ``kill -9`` of driver or worker in the middle of preset smoke, then resume: is the end the same?

    python benchmarks/kills.py [--trials 50] [--finished DIR --store DIR]

The reference is an undisturbed run of preset smoke and its store (without ``--finished`` one is made, in minutes). A
trial takes away some finished jobs, with what follows from them: their files, and what the store knows of them. It
starts the workflow, kills the driver (and it alone, so that its stages live on as orphans) or one stage at a random
moment, and resumes as the message of Snakemake says. Every fifth trial begins in an empty directory, so that restoring
is what gets killed. Then

* every result has the digest of the reference (of what holds wall times, all else is compared);
* no file is left half-made under its final name, and no temporary name is left but those of killed processes;
* nothing was computed twice but the jobs in flight when the kill came.

Prints a line a trial, writes ``benchmarks/out/kills.json`` and ends with status 1 if any trial differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psutil
from runs import ROOT, command, environment

from teachable.artifacts.store import Store
from teachable.stages import STAGES

TAKEN = 6  # jobs taken away in a trial
LATEST = 25.0  # seconds; a kill comes at a uniformly random time before
TIMED = ("seconds", "minutes")  # keys and columns that hold wall time
NOT_RESULTS = {"benchmarks", ".snakemake_timestamp"}
# hold wall time beyond a column of that name, in words or in pictures
OF_TIME = ("report.html", "report.md", "tab_h6_2.tex", "tab_h6_2.csv", "training_summary.json")


@dataclass(frozen=True)
class Place:
    """A working directory and a store."""

    directory: Path
    store: Path
    targets: tuple[str, ...] = ()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.directory / "driver.log").open("ab")
        return subprocess.Popen(
            command(
                *(self.directory, "--cores", "2", *arguments),
                *("--config", "preset=smoke", "--", *self.targets),
            ),
            env=environment(self.store),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )

    def finish(self) -> None:
        if self.start().wait() != 0:
            raise RuntimeError((self.directory / "driver.log").read_text()[-4000:])

    def results(self) -> dict[str, Path]:
        """Final files by name."""
        return {
            str(path.relative_to(self.directory)): path
            for top in ("results", "figures", "tables")
            for path in sorted((self.directory / top).rglob("*"))
            if path.is_file() and not set(path.relative_to(self.directory).parts) & NOT_RESULTS
        }  # fmt: skip

    def outputs(self) -> tuple[str, ...]:
        """All outputs by name, the intermediate ones too: Snakemake leaves one missing that nobody needs any more."""
        found = set()
        for name in self.results():
            directory = re.match(DIRECTORIES, name)
            found.add(directory[0] if directory else name)
        return tuple(sorted(found))

    def published(self) -> Counter[str]:
        """How often each key was computed and stored here."""
        return Counter(event["key"] for event in Store(self.store).events() if event["event"] == "published")


DIRECTORIES = (
    r"results/(student|world/builtin_student|world/\w+/games/\d+|phase\d/adapters/\w+/\d+)"  # that are outputs
)


def content(path: Path) -> str:
    """Digest of a file without its wall times."""
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path)
        timed = [name for name in frame.columns if name in TIMED]
        if timed:
            return hashlib.sha256(frame.drop(timed).write_json().encode()).hexdigest()
    if path.suffix == ".json":
        return hashlib.sha256(json.dumps(untimed(json.loads(path.read_text())), sort_keys=True).encode()).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: untimed(item) for key, item in value.items() if key not in TIMED}
    return [untimed(item) for item in value] if isinstance(value, list) else value


def contents(place: Place) -> dict[str, str]:
    return {name: content(path) for name, path in place.results().items() if path.name not in OF_TIME}


def prepare(reference: Place, scratch: Path, rng: random.Random, *, empty: bool) -> Place:
    """A copy of the reference without some of its finished jobs."""
    place = Place(scratch / "run", scratch / "store", reference.outputs())
    if empty:
        place.directory.mkdir()
    else:
        shutil.copytree(reference.directory, place.directory, symlinks=True)
    for part in ("objects", "records"):  # nobody writes into these files: links will do
        shutil.copytree(reference.store / part, place.store / part, copy_function=os.link)
    made: dict[str, list[Path]] = {}
    for path in Store(place.store).record_paths():
        for digest, _ in json.loads(path.read_text())["outputs"].values():
            made.setdefault(digest, []).append(path)
    store = Store(reference.store)
    files = {name: path for name, path in reference.results().items() if not name.startswith("results/world")}
    known = {name: records for name, path in files.items() if (records := made.get(store.digest(path)))}
    for name in rng.sample(sorted(known), TAKEN):
        for record in known[name]:
            record.unlink(missing_ok=True)
        (place.directory / name).unlink(missing_ok=True)
    return place


def stages_below(driver: psutil.Process) -> list[psutil.Process]:
    """Processes that run a stage."""
    found = []
    for process in driver.children(recursive=True):
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if len(line) > 2 and Path(line[1]).name == "teachable" and line[2] in STAGES:
            found.append(process)
    return found


def disturb(place: Place, rng: random.Random) -> tuple[str, int]:
    """Start the workflow and kill something; what was killed, and how many stages were in flight."""
    driver = place.start()
    ends = time.monotonic() + rng.uniform(1.0, LATEST)
    victim = rng.choice(("driver", "worker"))
    while driver.poll() is None:
        time.sleep(0.05)
        if time.monotonic() < ends:
            continue
        running = stages_below(psutil.Process(driver.pid))
        if victim == "worker":
            if not running:
                continue  # the next one that starts
            process = rng.choice(running)
            try:
                name = process.cmdline()[2]
                process.kill()
            except psutil.Error:
                continue
            driver.wait()
            return f"worker {name}", len(running)
        driver.kill()
        driver.wait()
        return "driver", len(running)
    return "nothing", 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--finished", type=Path, help="working directory of a finished run of preset smoke")
    parser.add_argument("--store", type=Path, help="the store of that run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        if arguments.finished:
            reference = Place(arguments.finished.resolve(), arguments.store.resolve())
        else:
            reference = Place(Path(scratch) / "reference", Path(scratch) / "store")
            reference.directory.mkdir()
            reference.finish()
        return run(reference, Path(scratch), arguments.trials, arguments.seed)


def run(reference: Place, scratch: Path, trials: int, seed: int) -> int:
    wanted = contents(reference)
    out = ROOT / "benchmarks/out/kills.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    number = equal = 0
    while len(rows) < trials:
        number += 1
        rng = random.Random(f"{seed}/{number}")
        room = scratch / f"trial{number}"
        room.mkdir()
        place = prepare(reference, room, rng, empty=number % 5 == 0)
        started = time.monotonic()
        killed, in_flight = disturb(place, rng)
        if killed == "nothing":
            shutil.rmtree(room)
            continue  # the run was over before the kill
        at = time.monotonic() - started
        if killed == "driver":
            place.start("--unlock").wait()
        place.finish()
        for orphan in orphans(place):
            orphan.wait()
        found = contents(place)
        different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        twice = sum(count - 1 for count in place.published().values())
        row = {
            "killed": killed,
            "at_s": round(at, 1),
            "empty": number % 5 == 0,
            "in_flight": in_flight,
            "computed": place.published().total(),
            "computed_twice": twice,
            "different": different,
            "equal": not different and twice <= in_flight,
        }
        rows.append(row)
        print(
            f"{len(rows):3d}. killed {killed} after {at:.1f} s, {in_flight} in flight; {row['computed']} computed, "
            f"{twice} twice; {'equal' if row['equal'] else f'DIFFERENT: {different[:4]}'}",
            flush=True,
        )
        shutil.rmtree(room)
        equal = sum(row["equal"] for row in rows)
        out.write_text(json.dumps({"trials": len(rows), "equal": equal, "seed": seed, "rows": rows}, indent=1) + "\n")
    print(f"{equal} of {trials} ended as the undisturbed run did; {out}")
    return int(equal < trials)


def orphans(place: Place) -> list[psutil.Process]:
    """Stages that outlived their driver and work in this directory."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if len(line) > 2 and line[2] in STAGES and Path(process.cwd()) == place.directory:
                found.append(process)
        except psutil.Error:
            continue
    return found


if __name__ == "__main__":
    raise SystemExit(main())
