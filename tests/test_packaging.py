"""What is declared, pinned and cited is what is used, and the same everywhere."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import teachable

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = tomllib.loads((ROOT / "uv.lock").read_text())["package"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normal(found.group()) for line in requirements if (found := re.match(r"[A-Za-z0-9._-]+", line))}


def pins(lock: str) -> dict[str, str]:
    lines = [line.split(";")[0].strip() for line in (ROOT / lock).read_text().splitlines()]
    return {normal(name): version for name, version in (line.split("==") for line in lines if "==" in line)}


RUNTIME = names(PROJECT["project"]["dependencies"])
EXTRAS = PROJECT["project"]["optional-dependencies"]
DEVELOPMENT = names(EXTRAS["dev"])
OPTIONAL = names(EXTRAS["textworld-express"]) | names(EXTRAS["scienceworld"])
APART = names(EXTRAS["inspect"])  # wants older libraries than ours: in uv.lock, and not among what pip installs


def test_every_dependency_is_imported_and_every_import_declared() -> None:
    imported: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).split(".")[0])
    own = {path.name for path in (ROOT / "src").iterdir()}
    of = packages_distributions()
    used = {normal(of.get(name, [name])[0]) for name in imported - set(sys.stdlib_module_names) - own}
    assert used == RUNTIME | OPTIONAL  # what is apart is imported by name where it is asked for
    assert not RUNTIME & (OPTIONAL | APART)


def test_locks_agree_and_users_get_no_development_tool() -> None:
    users, developers = pins("requirements.lock"), pins("requirements-dev.lock")
    assert users.keys() >= RUNTIME
    assert users.keys() | developers.keys() >= DEVELOPMENT | OPTIONAL
    assert not users.keys() & (OPTIONAL | APART)
    assert {normal(package["name"]) for package in LOCKED} >= APART
    assert not users.keys() & developers.keys()
    assert not users.keys() & {"pytest", "hypothesis", "ruff", "mypy", "import-linter", "pre-commit"}
    assert users["torch"] == "2.13.0"
    versions = {normal(package["name"]): package.get("version") for package in LOCKED}
    assert {name: versions[name] for name in (*users, *developers)} == users | developers


def test_tools_are_apart_and_of_the_same_lock() -> None:
    """What reads exports back comes beside the rest; of a library that is in both, Inspect wants another version."""
    tools, ours = pins("requirements-tools.lock"), pins("requirements.lock") | pins("requirements-dev.lock")
    assert tools.keys() >= APART | {"datasets", "tensorboard"}
    assert "torch" not in tools
    assert not tools.items() & ours.items()
    locked: dict[str, set[str]] = {}
    for package in LOCKED:
        locked.setdefault(normal(package["name"]), set()).add(package.get("version", ""))
    assert [name for name, version in tools.items() if name in locked and version not in locked[name]] == []
    assert {name for name in tools if name in ours} == {"fsspec", "python-dateutil"}


def test_every_locked_file_has_its_hash() -> None:
    for package in LOCKED:
        if "registry" in package["source"]:
            files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
            assert files, package["name"]
            assert all(re.fullmatch("sha256:[0-9a-f]{64}", file["hash"]) for file in files), package["name"]


def test_uv_lock_is_of_these_dependencies() -> None:
    """What ``uv lock --check`` says, without a network."""
    (own,) = (package for package in LOCKED if package["name"] == PROJECT["project"]["name"])
    locked = {(one["name"] + one.get("specifier", ""), one.get("marker")) for one in own["metadata"]["requires-dist"]}
    project = PROJECT["project"]
    declared = {(line.lower(), None) for line in project["dependencies"]}
    declared |= {(line.lower(), f"extra == '{extra}'") for extra, lines in EXTRAS.items() for line in lines}
    assert locked == declared


@pytest.mark.parametrize("where", ["citation", "changelog"])
def test_the_version_is_that_of_the_package(where: str) -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    if where == "citation":
        assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == teachable.__version__
    else:
        released = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert released[0] == teachable.__version__
