"""Random ``kill -9`` of driver or worker in the middle of preset smoke, then resume: is the end the same?

    python benchmarks/kills.py [--trials 50] [--finished DIR --store DIR]
    python benchmarks/kills.py --campaign [--trials 100] [--finished DIR --store DIR]

The reference is an undisturbed run of preset smoke and its store, made in minutes, and kept where ``--finished`` and
``--store`` say. A trial takes away some finished jobs, with what follows from them: their files, and what the store
knows of them. It starts the workflow, kills the driver (and it alone, so that its stages live on as orphans) or one
stage at a random moment, and resumes as the message of Snakemake says. Every fifth trial begins in an empty directory,
so that restoring is what gets killed. Then

* every result has the bytes of the reference;
* nothing was computed twice but the jobs in flight when the kill came.

With ``--campaign`` advice comes from an endpoint of which 30 % of all requests meet a fault (``faulty_teacher.py``),
and the store lies on a file system that is late, forgets its handles and goes away and comes back every few seconds
(``unsteady.py``; it needs FUSE). A run has to go on without it: it is started once and, after the kill, once more. The
job that asks for advice is always among those taken away, with half of its
answers. What is missing while the store is away is computed anew, so that computing twice is no fault there; instead

* every answer that was paid for is in the cache;
* none was paid for twice but those in flight when the kill came;
* the store holds no damage, and nothing was taken for damaged.

Prints a line a trial, writes ``benchmarks/out/kills.json`` (``campaign.json``) and ends with status 1 if any differs.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from faulty_teacher import FaultyTeacher, name_of
from runs import ROOT, command, environment

from teachable.artifacts.maintenance import verify
from teachable.artifacts.store import Store
from teachable.stages import STAGES

TAKEN = 6  # jobs taken away in a trial
LATEST = 15.0  # seconds; a kill comes at a uniformly random time before
THERE, AWAY = (1.0, 6.0), (0.3, 2.5)  # seconds that the campaign's store is there, and gone
PORT = 18377  # of the campaign's teacher; the endpoint is part of what its advice follows from
CONCURRENCY = 4  # questions in flight
ANSWERS = ".cache/teacher"
ADVICE = "results/phase0/advice"  # the table and its parts
GONE = (errno.EIO, errno.ENOTCONN, errno.ENOENT)  # what a server that is away answers, or an empty mount point
NOT_RESULTS = {"benchmarks", "preset", ".snakemake_timestamp"}
DIRECTORIES = (
    r"results/(student|viewer|world/builtin_student|world/\w+/games/\d+|phase\d/adapters/\w+/\d+)"  # that are outputs
)


@dataclass(frozen=True)
class Place:
    """A working directory and a store; ``below``: where the store's files really are."""

    directory: Path
    store: Path
    targets: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    below: Path | None = None

    @property
    def files(self) -> Path:
        return self.below or self.store

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.directory / "driver.log").open("ab")
        return subprocess.Popen(
            command(
                *(self.directory, "--cores", "2", *arguments),
                *("--config", "preset=smoke", *self.config, "--", *self.targets),
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
        return Counter(event["key"] for event in Store(self.files).events() if event["event"] == "published")

    def answers(self) -> dict[str, Path]:
        """The teacher's answers in the cache, by the name of their request."""
        paths = (self.directory / ANSWERS / "answers").rglob("[0-9a-f]*.json")
        return {name_of(json.loads(path.read_text())["request"]["body"]): path for path in paths}


def contents(place: Place) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in place.results().items()}


def prepare(reference: Place, room: Path, rng: random.Random, *, empty: bool, campaign: bool) -> Place:
    """A copy of the reference without some of its finished jobs."""
    below = room / "below" if campaign else None
    place = Place(room / "run", room / "store", reference.outputs(), reference.config, below)
    if empty:
        place.directory.mkdir()
    else:
        shutil.copytree(reference.directory, place.directory, symlinks=True)
        (place.directory / "driver.log").unlink(missing_ok=True)
    for part in ("objects", "records"):  # nobody writes into these files: links will do
        shutil.copytree(reference.store / part, place.files / part, copy_function=os.link)
    made: dict[str, list[Path]] = {}
    for path in Store(place.files).record_paths():
        for digest, _ in json.loads(path.read_text())["outputs"].values():
            made.setdefault(digest, []).append(path)
    store = Store(reference.store)
    files = {name: path for name, path in reference.results().items() if not name.startswith("results/world")}
    known = {name: records for name, path in files.items() if (records := made.get(store.digest(path)))}
    taken = rng.sample(sorted(known), TAKEN)
    if campaign:
        taken += [name for name in known if name.startswith(ADVICE)]
        for path in place.answers().values():
            if rng.random() < 0.5:
                path.unlink()
    for name in taken:
        for record in known[name]:
            record.unlink(missing_ok=True)
        (place.directory / name).unlink(missing_ok=True)
    return place


@contextmanager
def unsteady(place: Place, rng: random.Random) -> Iterator[None]:
    """The place's store behind a file system that comes and goes."""
    away = place.store.with_name("away")
    place.store.mkdir()
    line = [sys.executable, str(ROOT / "benchmarks/unsteady.py"), str(place.files), str(place.store)]
    served = subprocess.Popen([*line, "--away", str(away), "--seed", str(rng.randrange(10**6))])
    until = time.monotonic() + 10
    while not os.path.ismount(place.store):
        if served.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the unsteady store was not mounted: apt-get install fuse3, pip install mfusepy")
        time.sleep(0.05)
    over = threading.Event()

    def come_and_go() -> None:
        while not over.wait(rng.uniform(*THERE)):
            away.write_text(str(rng.choice(GONE)))
            over.wait(rng.uniform(*AWAY))
            away.unlink()

    waves = threading.Thread(target=come_and_go)
    waves.start()
    try:
        yield
    finally:
        over.set()
        waves.join()
        subprocess.run(["umount", "--lazy", str(place.store)], check=True)
        served.wait()


def stages_below(driver: psutil.Process) -> list[psutil.Process]:
    """Processes that run a stage."""
    found = []
    for process in driver.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if stage_of(process):
                found.append(process)
    return found


def stage_of(process: psutil.Process) -> str:
    """The stage that a process runs; empty for any other process."""
    line = process.cmdline()
    return line[2] if len(line) > 2 and Path(line[1]).name == "teachable" and line[2] in STAGES else ""


def disturb(place: Place, rng: random.Random) -> tuple[str, list[str]]:
    """Start the workflow and kill something; what was killed, and which stages were in flight."""
    driver = place.start()
    ends = time.monotonic() + rng.uniform(1.0, LATEST)
    victim = rng.choice(("driver", "worker"))
    while driver.poll() is None:
        time.sleep(0.05)
        if time.monotonic() < ends:
            continue
        running, stages = stages_below(psutil.Process(driver.pid)), []
        for process in running:
            with contextlib.suppress(psutil.Error):
                stages.append(stage_of(process))
        if victim == "worker":
            if not running:
                continue  # the next one that starts
            process = rng.choice(running)
            try:
                name = stage_of(process)
                process.kill()
            except psutil.Error:
                continue
            driver.wait()
            return f"worker {name}", stages
        driver.kill()
        driver.wait()
        return "driver", stages
    return "nothing", []


def orphans(place: Place) -> list[psutil.Process]:
    """Stages that outlived their driver and work in this directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if stage_of(process) and Path(process.cwd()) == place.directory:
                found.append(process)
    return found


def trial(place: Place, wanted: dict[str, str], rng: random.Random, teacher: FaultyTeacher | None) -> dict[str, Any]:
    """Disturb and resume; what came of it. ``killed`` is "nothing" where the run was over before the kill."""
    cached = set(place.answers())
    if teacher:
        teacher.paid.clear()
        teacher.faults.clear()
    started = time.monotonic()
    with unsteady(place, rng) if teacher else contextlib.nullcontext():
        killed, stages = disturb(place, rng)
        row: dict[str, Any] = {"killed": killed, "at_s": round(time.monotonic() - started, 1), "in_flight": stages}
        if killed == "nothing":
            return row
        if killed == "driver":
            place.start("--unlock").wait()
        place.finish()
        for orphan in orphans(place):
            orphan.wait()
    found = contents(place)
    row["different"] = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    row["computed"] = place.published().total()
    if teacher:
        paid = dict(teacher.paid)
        row |= {"paid": len(paid), "faults": sum(teacher.faults.values())}
        row["lost"] = len(paid.keys() - place.answers().keys())
        row["paid_twice"] = sum(paid.values()) - len(paid) + len(paid.keys() & cached)
        row["most_twice"] = CONCURRENCY * ("advise" in stages)
        row["store"] = json.loads(Path(f"{place.files}.counts.json").read_text())
        checked, quarantine = verify(Store(place.files)), place.files / "quarantine"
        row["damaged"] = [*checked.corrupt, *map(str, checked.incomplete)]
        row["quarantined"] = [path.name for path in quarantine.iterdir()] if quarantine.exists() else []
        paid_right = not row["lost"] and row["paid_twice"] <= row["most_twice"]
        row["equal"] = not row["different"] and paid_right and not row["damaged"] and not row["quarantined"]
    else:
        row["computed_twice"] = sum(count - 1 for count in place.published().values())
        row["equal"] = not row["different"] and row["computed_twice"] <= len(stages)
    return row


def run(reference: Place, scratch: Path, trials: int, seed: int, teacher: FaultyTeacher | None) -> int:
    wanted = contents(reference)
    out = ROOT / f"benchmarks/out/{'campaign' if teacher else 'kills'}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    number = equal = 0
    while len(rows) < trials:
        number += 1
        rng = random.Random(f"{seed}/{number}")
        room = scratch / f"trial{number}"
        room.mkdir()
        empty = number % 5 == 0
        place = prepare(reference, room, rng, empty=empty, campaign=teacher is not None)
        row = trial(place, wanted, rng, teacher)
        if row["killed"] != "nothing":
            rows.append({"trial": number, "empty": empty, **row})
            shown = {name: value for name, value in row.items() if name not in ("killed", "at_s", "different", "store")}
            verdict = "equal" if row["equal"] else f"DIFFERENT: {row['different'][:4]}"
            print(f"{len(rows):3d}. killed {row['killed']} after {row['at_s']} s; {shown}; {verdict}", flush=True)
        shutil.rmtree(room)
        equal = sum(row["equal"] for row in rows)
        summary = {"trials": len(rows), "equal": equal, "seed": seed, "date": time.strftime("%Y-%m-%d"), "rows": rows}
        out.write_text(json.dumps(summary, indent=1) + "\n")
    print(f"{equal} of {trials} ended as the undisturbed run did; {out}")
    return int(equal < trials)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--campaign", action="store_true", help="with a faulty endpoint and an unsteady store")
    parser.add_argument("--finished", type=Path, help="working directory of the reference; made where it is not")
    parser.add_argument("--store", type=Path, help="its store")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as scratch:
        teacher = FaultyTeacher(PORT, seed=arguments.seed) if arguments.campaign else None
        config = (teacher.settings(ANSWERS, CONCURRENCY),) if teacher else ()
        reference = Place(
            (arguments.finished or Path(scratch) / "reference").resolve(),
            (arguments.store or Path(scratch) / "store").resolve(),
            config=config,
        )
        if not reference.directory.exists():
            reference.directory.mkdir(parents=True)
            with teacher.undisturbed() if teacher else contextlib.nullcontext():
                reference.finish()
        return run(reference, Path(scratch), arguments.trials, arguments.seed, teacher)


if __name__ == "__main__":
    raise SystemExit(main())
