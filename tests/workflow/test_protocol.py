"""Every script that the protocol names has a command in docs/protocol.md, and each of them runs, in smoke size."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import product

import pytest

from teachable import tables
from teachable.paper import FIGURES, TABLES
from workflow.workplace import ROOT, Workplace

SCRIPTS = [
    *("smoke test", "pilot"),
    *("collect_expert_trajectories", "mine_snapshots_from_expert_trajectories"),
    *("compute_uncertainty", "compute_leverage", "run_cpt", "assign_quadrants", "create_validation_panel"),
    "export_lupper_recovery_trajectories",
    *("evaluate_end2end", "evaluate_mechanistic", "evaluate_drift", "retention_curves"),
]
ROW = re.compile(r"^\| `?(?P<name>[\w ]+)`? \| (?P<said>`snakemake [^`]+` \| .+) \|$", re.MULTILINE)
BLOCK = re.compile(r"^### (?P<name>.+)\n\n    (?P<line>snakemake .+)$", re.MULTILINE)
COMMAND = re.compile(r"`(snakemake [^`]+)`")
FILE = re.compile(r"`((?:[\w{},]+/)*[\w{},]+\.(?:parquet|json|html|safetensors))`")
PART = (ROOT / "docs/protocol.md").read_text("utf-8").split("## Scripts of the protocol")[1].split("\n## ")[0]


@dataclass(frozen=True)
class Row:
    """A row of the table, or a line of its own: its commands, and the files that it names, as paths of a run."""

    name: str
    commands: tuple[str, ...]
    files: tuple[str, ...]


def named(text: str) -> tuple[str, ...]:
    """The files of a text: ``a/{b,c}.parquet`` are two, and a name without a folder lies in that of the one before."""
    found, folder = [], ""
    for match in FILE.finditer(text):
        alternatives = [part.split(",") for part in re.split(r"[{}]", match[1])]
        for choice in product(*(part if i % 2 else [",".join(part)] for i, part in enumerate(alternatives))):
            path = "".join(choice)
            folder = path.rpartition("/")[0] or folder
            found.append(path if path.startswith("results/") else f"results/{folder}/{path.rpartition('/')[2]}")
    return tuple(dict.fromkeys(found))


def targeted(commands: tuple[str, ...]) -> tuple[str, ...]:
    """The files that are targets, and those of the figures and tables that are."""
    words = [word for command in commands for word in shlex.split(command)]
    items = {f"fig_{name}": item for name, item in FIGURES.items()} | {f"tab_{n}": item for n, item in TABLES.items()}
    files = [file for word in words if word in items for file in items[word].files]
    return (*(word for word in words if word.startswith("results/")), *files)


def read() -> list[Row]:
    rows = []
    for match in ROW.finditer(PART):
        commands = tuple(COMMAND.findall(match["said"]))
        rows.append(Row(match["name"], commands, (*named(match["said"]), *targeted(commands))))
    rows += [Row(match["name"], (match["line"],), ()) for match in BLOCK.finditer(PART)]
    return rows


ROWS = read()


def test_every_script_of_the_protocol_has_a_row_and_no_command_escapes() -> None:
    assert [row.name for row in ROWS] == [*SCRIPTS, "Thresholds by hand"]
    found = [command for row in ROWS for command in row.commands]
    assert PART.count("snakemake ") - PART.count("`snakemake -c 2 TARGET`") == len(found)
    assert sum(row.name in SCRIPTS[2:] and bool(row.files) for row in ROWS) == len(SCRIPTS) - 2, "each names its files"


@pytest.fixture(scope="module")
def place(smoke: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A copy of the finished run, on its store."""
    return smoke.copied(tmp_path_factory.mktemp("protocol") / "run")


def smoke_sized(command: str) -> list[str]:
    """The arguments of a command, as written but for two cores and preset smoke where it says nothing of them."""
    words = shlex.split(command)[1:]
    if not {"-c", "-n"} & set(words):
        words = ["-c", "2", *words]
    if not any(word.startswith("preset=") for word in words):
        words += ["preset=smoke"] if "--config" in words else ["--config", "preset=smoke"]
    return words


@pytest.mark.workflow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_its_commands_run_and_make_what_it_names(row: Row, place: Workplace) -> None:
    for name in row.files:
        place.path(name).unlink(missing_ok=True)
    for command in row.commands:
        result = place.snakemake(*smoke_sized(command))
        assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        assert "Nothing to be done" not in result.stdout + result.stderr, command
    assert [name for name in row.files if not place.path(name).is_file()] == []
    if row.name == "Thresholds by hand":
        assert tables.read_json(place.path("results/phase1/thresholds.json"))["method"] == "given"
