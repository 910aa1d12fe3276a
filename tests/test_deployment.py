"""What is shipped for containers, conda and the catalog of workflows agrees with the project it installs."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions() -> list[tuple[str, str]]:
    """Of the Containerfile: each with its arguments, continued lines put together."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, rest.strip()) for line in text.splitlines() if line for name, _, rest in [line.partition(" ")]]


def arguments(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def copied() -> list[str]:
    return [path for rest in arguments("COPY") for path in rest.split()[:-1]]


def test_every_instruction_is_one() -> None:
    known = {"FROM", "RUN", "WORKDIR", "ARG", "COPY", "ENV", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions()} <= known
    assert instructions()[0][0] == "FROM"
    for rest in arguments("ENTRYPOINT") + arguments("CMD"):
        assert yaml.safe_load(rest), "the form of a list, so that signals reach the program"
    for rest in arguments("RUN"):
        subprocess.run(["sh", "-n"], input=rest, text=True, check=True)


@pytest.mark.parametrize("path", copied())
def test_what_is_copied_is_there_and_let_in(path: str) -> None:
    assert (ROOT / path).exists()
    tracked = subprocess.run(["git", "ls-files", "--", path], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode == 0:  # not in an archive without history
        assert tracked.stdout
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert f"!{path}" in rules


def test_nothing_else_is_let_in() -> None:
    rules = [rule for rule in (ROOT / ".dockerignore").read_text().splitlines() if rule and not rule.startswith("#")]
    assert rules[0] == "*"
    assert sorted(rule[1:] for rule in rules if rule.startswith("!")) == sorted(copied())
    for secret in ("src/.env", "src/teachable/__pycache__"):
        assert any(fnmatch.fnmatch(secret, rule.replace("**/", "*/")) for rule in rules if rule.startswith("**/"))


def test_all_that_a_run_reads_is_copied() -> None:
    """Of what git has beside the Snakefile, each thing that rules or the Snakefile name."""
    said = "\n".join(path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])
    named = {path for path in re.findall(r'"((?:docs|rules)/[^"{}]+)"', said) if (ROOT / path).exists()}
    assert named
    for path in named:
        assert any(path == one or path.startswith(f"{one}/") for one in copied()), path


def test_versions_agree() -> None:
    (base,) = arguments("FROM")
    (version,) = re.findall(r"python:(\d+\.\d+)-slim", base)
    assert version in SpecifierSet(PROJECT["requires-python"])
    environment = yaml.safe_load((ROOT / "envs/teachable.yaml").read_text())["dependencies"]
    assert f"python={version}" in environment
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    for entry in pip:
        path = ROOT / "envs" / entry.partition(" ")[2]
        assert path.resolve().exists(), entry
    installed = " ".join(arguments("RUN"))
    assert "-r requirements.lock" in installed
    assert "--no-deps --no-build-isolation -e ." in installed
    assert re.search(r"^setuptools==", (ROOT / "requirements.lock").read_text(), re.MULTILINE), "what builds it"
    needed = set(re.findall(r"missing\+=\(([a-z-]+)\)", (ROOT / "scripts/check_system.sh").read_text()))
    assert needed - {"python3", "python3-venv"} <= set(installed.split())


def test_the_catalog_finds_the_workflow() -> None:
    """By https://github.com/snakemake/snakemake-workflow-catalog, source/docs/about/adding_workflows.md."""
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    assert (ROOT / "Snakefile").exists()
    assert list((ROOT / "rules").glob("*.smk"))
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    assert all(isinstance(flag, str) for flag in usage["mandatory-flags"]["flags"])
    deployed = usage["software-stack-deployment"]
    assert set(deployed) == {"conda", "apptainer", "apptainer+conda", "report"}
    assert all(isinstance(value, bool) for value in deployed.values())
    rules = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    assert deployed["conda"] == bool(re.search(r"^\s+conda:", rules, re.MULTILINE))
    assert deployed["apptainer"] == bool(re.search(r"^\s+container:", rules, re.MULTILINE))
