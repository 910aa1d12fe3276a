"""Real games for all tests: made once, shared by parallel workers and by later runs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from needed import lacking

from teachable.generation import get_generator
from teachable.generation.textworld import TextWorldGenerator
from teachable.worlds import Task, World, WorldError, get_entry, get_world

settings.register_profile("no deadline", deadline=None)  # how fast a machine is says nothing about the code
settings.load_profile("no deadline")

_CLUSTER = Path("/tmp/teachable-slurm")
_WANTED = {
    "train": {
        "easy": 3,
        "medium": 3,
        "walk": 2,
        "cook1": 2,
        "cut1": 2,
        "nav": 3,
        "hard": 3,
        "treasure_hunter": 1,
        "coin_collector": 1,
    },
    "test": {"easy": 1},
}


@dataclass(frozen=True)
class Games:
    """Game files below ``root`` and their tasks."""

    world: World
    root: Path
    tasks: tuple[Task, ...]

    def of(self, family: str, split: str = "train") -> list[Task]:
        return [task for task in self.tasks if task.family == family and task.split == split]


def _make(split: str, wanted: dict[str, int], root: Path) -> list[Task]:
    pairs = [(family, seed) for family, count in wanted.items() for seed in range(count)]
    families, seeds = zip(*pairs, strict=True)
    return TextWorldGenerator(jobs=min(2, len(pairs))).generate(families, split, seeds, root)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadscope`` all that looks at the finished run of preset smoke goes to one worker, which runs it
    once; every other test is a scope of its own. (``loadgroup`` of xdist 3.8 has no effect with pytest 9.2.)"""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    files = Path(__file__).parent.rglob("test_*.py")
    looking = {path.name for path in files if re.search(r"\bsmoke: Workplace", path.read_text(encoding="utf-8"))}

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "smoke" if Path(nodeid.split("::")[0]).name in looking else nodeid

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def games(pytestconfig: pytest.Config) -> Games:
    """Two or three train games of each cooking family, an easy test game, one game of each other family.

    Kept in pytest's cache under a digest of the code that makes them (21 games are 40 s of work);
    `--cache-clear` makes them anew.
    """
    code = hashlib.sha256(version("textworld").encode())
    for room in ("generation", "worlds"):
        for path in sorted((Path(__file__).parents[1] / "src/teachable" / room).rglob("*.py")):
            code.update(path.read_bytes())
    root = pytestconfig.cache.mkdir(f"games-{code.hexdigest()[:12]}")
    listing = root / "tasks.json"
    world = get_world("textworld")
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not listing.exists():
            tasks = [task for split, wanted in _WANTED.items() for task in _make(split, wanted, root)]
            listing.write_text(json.dumps([asdict(task) for task in tasks]))
        tasks = [Task(**row) for row in json.loads(listing.read_text())]
    return Games(world, root, tuple(tasks))


@pytest.fixture(scope="session")
def java() -> None:
    """Ends the test, with the reason, where Java or a package that needs it is not installed."""
    try:
        get_entry("textworld_express").check_ready()
    except WorldError as error:
        lacking(str(error))


@pytest.fixture(scope="session")
def express(java: None, tmp_path_factory: pytest.TempPathFactory) -> Games:
    """Two train games of each family of TextWorldExpress."""
    root = tmp_path_factory.mktemp("express")
    generator = get_generator("textworld_express")
    families = [family for family in get_entry("textworld_express").families for _ in range(2)]
    tasks = generator.generate(families, "train", [index % 2 for index in range(len(families))], root)
    return Games(get_world("textworld_express"), root, tuple(tasks))


@pytest.fixture(scope="session")
def scienceworld() -> None:
    """Ends the test, with the reason, where Java or the package scienceworld is not installed."""
    try:
        get_entry("scienceworld").check_ready()
    except WorldError as error:
        lacking(str(error))


@pytest.fixture(scope="session")
def science(scienceworld: None, tmp_path_factory: pytest.TempPathFactory) -> Games:
    """A train game of each family of ScienceWorld, and a second one of the first."""
    root = tmp_path_factory.mktemp("science")
    families = list(get_entry("scienceworld").families)
    seeds = [*(0 for _ in families), 1]
    tasks = get_generator("scienceworld").generate([*families, families[0]], "train", seeds, root)
    return Games(get_world("scienceworld"), root, tuple(tasks))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A real SLURM of two nodes on this machine, in its directory; ends the test, with the
    reason, where there can be none."""
    scripts = Path(__file__).parent / "cluster"
    running = (_CLUSTER / "slurmctld.pid").exists()
    done = subprocess.run([scripts / "start_slurm.sh", _CLUSTER], capture_output=True, text=True, timeout=300)
    if done.returncode == 77:
        lacking(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    try:
        yield _CLUSTER
    finally:
        if not running:
            subprocess.run([scripts / "stop_slurm.sh", _CLUSTER], check=False, timeout=120)
