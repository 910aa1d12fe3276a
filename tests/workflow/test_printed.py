"""Every command that README, CONTRIBUTING and docs print, carried out as it is printed, and the list of them.

What needs a cluster, a key, a GPU or most of an hour is planned (``-n``), ``make`` and ``apt-get`` say what they would
do; what needs a network is excused by name (``printed.EXCUSES``). A line that is nothing of this fails.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import time
import tomllib
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from toy import bring

from teachable.cli import COMMANDS, _parser
from teachable.config.load import assignments, read_yaml
from teachable.paper import FIGURES
from teachable.paper.closing import closing
from teachable.stages import STAGES
from teachable.workflow.configuration import configuration
from workflow.printed import ELSEWHERE, EXCUSES, OUTPUTS, PLACEHOLDERS, PROGRAMS, TEXTS, Block, Command, as_word
from workflow.printed import blocks as all_blocks
from workflow.printed import commands as all_commands
from workflow.workplace import BIN, ROOT, Workplace

TREE = ("Snakefile", "workflow_config.yaml", "Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock",
        "requirements-tools.lock",
        "README.md", "rules", "profiles", "docs", "benchmarks", "scripts", "envs", "src")  # fmt: skip
BLOCKS, PRINTED = all_blocks(), all_commands()
# Names that a page's own script expects to be there.
GIVEN = {
    "docs/predictor.md": """
import teachable
from teachable import tables
snapshots = tables.read("results/phase0/snapshots.parquet", tables.SNAPSHOTS)
student = teachable.Student.load("results/student/weights")
"""
}


@dataclass(frozen=True)
class Verdict:
    """What became of one block or command."""

    where: str
    done: str  # in words
    text: str
    output: str = ""
    status: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        wrong = f" FAILED, exit status {self.status}" if self.status else ""
        first = self.text.splitlines()[0]
        return f"{self.where:26s}{self.seconds:6.1f} s  {self.done}{wrong}: {first}"


# --- nothing is overlooked --------------------------------------------------------------------------------------------


def test_every_line_is_known() -> None:
    assert len(PRINTED) > 100
    assert {command.page for command in PRINTED} >= {"README.md", "CONTRIBUTING.md", "docs/slurm.md", "docs/worlds.md"}
    unknown = [f"{one.where}: {one.text}" for one in PRINTED if not one.excuse and not is_known(one)]
    assert unknown == [], "a test must know what to do with each of these (tests/workflow/printed.py)"


def is_known(command: Command) -> bool:
    return command.program in PROGRAMS or (command.inline and command.text.startswith("--config "))


def test_no_excuse_and_no_placeholder_is_left_over() -> None:
    texts = [command.text for command in PRINTED]
    assert [one for one in EXCUSES if not any(re.search(one, text) for text in texts)] == []
    assert [one for one in PLACEHOLDERS if not any(re.search(as_word(one), text) for text in texts)] == []
    starts = [block.text for block in BLOCKS]
    assert [one for one in (*OUTPUTS, *TEXTS) if not any(re.match(one, text) for text in starts)] == []


def test_commands_that_run_something_say_on_how_many_cores() -> None:
    assert [f"{one.where}: {one.text}" for one in PRINTED if not one.excuse and one.lacks_cores] == []


# --- what needs no run ------------------------------------------------------------------------------------------------


def overridden(values: object) -> None:
    configuration({**read_yaml(ROOT / "workflow_config.yaml"), "override": values})


def test_settings_are_settings() -> None:
    printed = [one for one in BLOCKS if one.kind == "yaml"]
    assert printed
    for block in printed:
        overridden(yaml.safe_load(block.text))
    inline = [one for one in PRINTED if one.text.startswith("--config ") and not one.excuse]
    assert inline
    for one in inline:
        overridden(assignments(shlex.split(one.text)[1:], "--config"))


def test_a_package_of_its_own_has_the_entry_that_is_printed() -> None:
    (block,) = (one for one in BLOCKS if one.kind == "toml")
    assert tomllib.loads(block.text)["project"]["entry-points"]["teachable.worlds"] == {"corridor": "corridor:WORLD"}


def test_extras_are_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pip = [one for one in PRINTED if one.program == "pip"]
    asked = [(one.where, name) for one in pip for name in re.findall(r"\[(.+?)\]", one.text)]
    assert len(asked) > 2
    assert [one for one in asked if one[1] not in declared] == []


def test_every_path_of_the_tree_is_there() -> None:
    (tree,) = (one.text for one in BLOCKS if one.text.startswith("Snakefile "))
    seen, above = 0, ROOT
    for line in tree.splitlines():
        depth = len(line) - len(line.lstrip())
        if depth > 2:
            continue  # goes on from the line before
        for word in line.split():
            path = (above if depth else ROOT) / word
            if not path.exists() and not path.with_suffix(".py").exists():
                break  # here the words about it begin
            seen += 1
            if not depth:
                above = path
        else:
            continue
        assert word != line.split()[0], f"README names {word}, which is not there"
    assert seen > 25


def test_every_script_is_there() -> None:
    named = [(one.where, word) for one in PRINTED for word in one.text.split() if word.endswith(".py")]
    assert len(named) > 10
    assert [one for one in named if not (ROOT / one[1]).is_file()] == []


def read_by_its_command(command: Command) -> None:
    """Whether `teachable` takes it; SystemExit with its complaint where not."""
    words = shlex.split(command.filled)[1:]
    if words[0] in STAGES:
        assert not words[1:], "a whole line of a stage: run it"
        return
    try:
        _parser().parse_args(words)
    except SystemExit as end:
        if end.code and all(re.fullmatch(r"[a-z-]+", word) for word in words):  # a name without what it takes
            with pytest.raises(SystemExit) as end:
                _parser().parse_args([*words, "--help"])
            end = end.value
        if end.code:
            raise


@pytest.mark.parametrize("command", [one for one in PRINTED if one.program == "teachable"], ids=lambda one: one.where)
def test_the_command_line_is_read(command: Command) -> None:
    if "<stage>" in command.text:
        assert command.excuse
        return
    assert command.filled.split()[1] in (*COMMANDS, *STAGES)
    if "--help" not in command.text:
        read_by_its_command(command)


# --- and now for real -------------------------------------------------------------------------------------------------


class Place:
    """The repository's files and a finished run of preset smoke, with what the commands are given."""

    def __init__(self, directory: Path, smoke: Workplace) -> None:
        shutil.copytree(smoke.directory, directory, ignore=shutil.ignore_patterns("modules", "locks"))
        for name in TREE:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, directory / name)
        (directory / "slurm").symlink_to("profiles/slurm")
        browser = directory / "browser"
        browser.write_text('#!/bin/sh\nprintf %s "$1" > opened\n')
        browser.chmod(0o755)
        packages = [str(bring(directory / "site")), os.environ.get("PYTHONPATH", "")]
        self.directory = directory
        self.environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(packages).rstrip(os.pathsep),
            "PYTHONHASHSEED": "0",
            "TEACHABLE_STORE": smoke.store,
            "BROWSER": str(browser),
        }
        self.environment.pop("OPENAI_API_KEY", None)

    def bash(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )

    def carry_out(self, command: Command) -> Verdict:
        if command.excuse:
            return Verdict(command.where, f"left out, {command.excuse}", command.text)
        if command.text.startswith("--config "):
            return Verdict(command.where, "read as settings", command.text)
        if command.program == "teachable" and command.inline:
            return Verdict(command.where, "read by its command", command.text)
        if absent := needs(command):
            return Verdict(command.where, f"left out, {absent}", command.text)
        done, line = command.shell
        started = time.monotonic()
        result = self.bash("\n".join([*command.before, line]))
        output, status = result.stdout, result.returncode
        if not status and line.endswith(".py --help") and (unknown := {*command.options} - words_of(output)):
            output, status = f"{output}\nit takes no {', '.join(sorted(unknown))}", 2
        return Verdict(command.where, done, command.text, output, status, time.monotonic() - started)

    def python(self, block: Block) -> Verdict:
        where = f"{block.page}:{block.line}"
        if test := ELSEWHERE.get(block.page):
            assert Path(block.page).name in (ROOT / test).read_text()
            return Verdict(where, f"run by {test}", block.text)
        started = time.monotonic()
        script = self.directory / f"{Path(block.page).stem}_{block.line}.py"
        script.write_text(f"{GIVEN.get(block.page, '')}\n{block.text}\n")
        result = self.bash(f"python {script.name}")
        return Verdict(where, "run", block.text, result.stdout, result.returncode, time.monotonic() - started)


def words_of(text: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]*", text))


def needs(command: Command) -> str | None:
    """What this machine lacks for a command, if anything."""
    if command.program == "apt-get":
        lists = Path("/var/lib/apt/lists")
        if not shutil.which("apt-get") or not any(lists.glob("*Packages*")):
            return "no apt-get with lists of packages here"
    for world, package in (("textworld_express", "textworld_express"), ("scienceworld", "scienceworld")):
        if f"name: {world}" in command.text and not ready(package):
            return f"no Java or no package {package} here"
    return None


def ready(world: str) -> bool:
    from teachable.worlds import WorldError, get_entry

    try:
        get_entry(world).check_ready()
    except WorldError:
        return False
    return True


@pytest.fixture(scope="module")
def place(smoke: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where commands are carried out one after the other; the last of them change what stands there."""
    made = Place(tmp_path_factory.mktemp("printed") / "clone", smoke)
    assert "Nothing to be done" in made.bash("snakemake -n").stdout
    prepared = made.bash("teachable export values results -o values")
    assert prepared.returncode == 0, prepared.stdout
    return made


@pytest.fixture(scope="module")
def verdicts(place: Place, smoke: Workplace, tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    """One for everything that is printed, in the order of the pages. What changes nothing runs in a place of its own,
    beside the rest."""
    beside = Place(tmp_path_factory.mktemp("planned") / "clone", smoke)
    first: dict[tuple[str, tuple[str, ...]], Command] = {}
    for one in PRINTED:
        first.setdefault((one.filled, one.before), one)
    same = {one: first[one.filled, one.before] for one in PRINTED}
    again = [one for one in PRINTED if same[one] is not one]
    changing = [one for one in PRINTED if not one.changes_nothing and one not in again]
    with ThreadPoolExecutor(2) as pool:
        in_turn = pool.submit(lambda: [place.carry_out(one) for one in changing])
        rest = [one for one in PRINTED if one not in changing and one not in again]
        scripts = [one for one in BLOCKS if one.kind == "python"]
        found = [*pool.map(beside.carry_out, rest), *pool.map(beside.python, scripts)]
        found += [*in_turn.result(), *map(looked_at, BLOCKS)]
    found += [Verdict(one.where, f"as in {same[one].where}", one.text) for one in again]
    return sorted((one for one in found if one), key=in_order)


def in_order(verdict: Verdict) -> tuple[int, int]:
    page, _, line = verdict.where.partition(":")
    pages = list(dict.fromkeys(["README.md", "CONTRIBUTING.md", *(one.page for one in PRINTED)]))
    return pages.index(page) if page in pages else len(pages), int(line)


def looked_at(block: Block) -> Verdict | None:
    """Blocks that hold neither commands nor Python."""
    done = {
        "yaml": "read as settings",
        "toml": "read as TOML",
        "output": "compared with what is printed now",
        "text": "read by people",
    }
    where = f"{block.page}:{block.line}"
    if block.kind == "script":
        result = subprocess.run(["sh", "-n"], input=block.text, text=True, capture_output=True)
        return Verdict(where, "parsed by sh", block.text, result.stderr, result.returncode)
    return Verdict(where, done[block.kind], block.text) if block.kind in done else None


@pytest.mark.workflow
@pytest.mark.timeout(1200)
def test_every_command_does_what_is_printed(verdicts: list[Verdict], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{len(verdicts)} blocks and commands of {len({one.where.split(':')[0] for one in verdicts})} pages:")
        print(*verdicts, sep="\n")
    failed = [one for one in verdicts if one.status]
    assert not failed, "\n\n".join(f"{one}\n{one.output[-3000:]}" for one in failed)


@pytest.mark.workflow
@pytest.mark.timeout(1200)
def test_what_programs_print_is_what_pages_show(verdicts: list[Verdict], place: Place) -> None:
    printed = "\n".join([*(one.output for one in verdicts), *closing(place.directory / "results", 0)])
    assert [one for one in OUTPUTS if not re.search(one, printed)] == []


@pytest.mark.workflow
@pytest.mark.timeout(1200)
def test_the_viewer_opens_in_the_browser(verdicts: list[Verdict], place: Place) -> None:
    assert {one.status for one in verdicts if "view --open" in one.text} == {0}
    page = place.directory / "results/viewer/index.html"
    assert (place.directory / "opened").read_text() == page.resolve().as_uri()


@pytest.mark.workflow
@pytest.mark.timeout(1200)
def test_snakemakes_report_holds_figures_and_viewer(verdicts: list[Verdict], place: Place, smoke: Workplace) -> None:
    """As they were when it was made: later commands cut other quadrants and make the viewer anew."""
    with zipfile.ZipFile(place.directory / "run.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        contents = digests(archive.read(name) for name in names)
    assert any(name.endswith("report.html") for name in names)
    wanted = [smoke.path(item.files[1]) for item in FIGURES.values()]
    wanted += [path for path in sorted(smoke.path("results/viewer").rglob("*")) if is_shown(path)]
    assert len(wanted) > len(FIGURES) + 2
    assert [path.name for path in wanted if not contents & digests([path.read_bytes()])] == []


def is_shown(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def digests(contents: Iterable[bytes]) -> set[str]:
    return {hashlib.sha256(one).hexdigest() for one in contents}
