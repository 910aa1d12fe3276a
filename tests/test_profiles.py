"""Every entry of every profile is one Snakemake knows, has a reason, and stands where it may."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).parent.parent
PROFILES = sorted((ROOT / "profiles").glob("*/config.yaml"))


@pytest.fixture(scope="module")
def options() -> set[str]:
    parser = get_argument_parser()
    return {option.lstrip("-") for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_entries_are_options_of_snakemake(path: Path, options: set[str]) -> None:
    assert set(yaml.safe_load(path.read_text())) <= options


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_entry_has_a_reason(path: Path) -> None:
    lines = path.read_text().splitlines()
    for name in yaml.safe_load(path.read_text()):
        (number,) = [index for index, line in enumerate(lines) if line.startswith(f"{name}:")]
        assert lines[number - 1].startswith("# "), f"{path}: {name} has no reason above it"


def test_the_default_leaves_to_other_profiles_what_is_theirs() -> None:
    entries = {path.parent.name: yaml.safe_load(path.read_text()) for path in PROFILES}
    assert set(entries) == {"default", "node", "slurm"}
    assert "executor" not in entries["default"]  # it would win over --profile slurm
    assert not set(entries["default"]) & (set(entries["slurm"]) | set(entries["node"]))
    assert entries["slurm"]["executor"] == "teachable"
    assert not [name for name in entries["slurm"] if name.startswith("slurm-")]


def test_the_promised_name_leads_to_the_profile() -> None:
    assert (ROOT / "slurm").is_symlink()
    assert (ROOT / "slurm" / "config.yaml").samefile(ROOT / "profiles" / "slurm" / "config.yaml")


def test_the_table_of_partitions_is_one_the_executor_reads() -> None:
    from snakemake_executor_plugin_slurm.partitions import read_partition_file

    found = {partition.name: partition.limits for partition in read_partition_file(
        ROOT / "profiles" / "slurm" / "partitions.yaml"
    )}  # fmt: skip
    assert found["cpu"].max_gpu == 0
    assert found["gpu"].max_gpu > 0
