"""requirements-tools.lock: what reads back exports and event files in `make test-tools`. Needs pip and a network.

Inspect's pins are those of uv.lock, whose extra `inspect` is resolved apart, for inspect-ai wants older versions of
libraries that we have. What requirements.lock or requirements-dev.lock has in the same version is left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-tools.lock"
TOOLS = ("inspect-ai", "datasets", "tensorboard")
HEADER = """\
# What tests of exports and event files read back with, beside requirements-dev.lock, for Linux and Python 3.11; made by
# `make lock`. `make test-tools` installs it into a folder of its own: nothing that users or developers have changes.
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    """Version by name, of uv.lock; of a name with two the older, which is Inspect's."""
    found: dict[str, str] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        if "registry" in package["source"]:
            name, version = normal(package["name"]), package["version"]
            found[name] = min(found.get(name, version), version, key=ordered)
    return found


def ordered(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def ours() -> dict[str, str]:
    """Version by name, of what users and developers install."""
    text = "\n".join((ROOT / name).read_text() for name in ("requirements.lock", "requirements-dev.lock"))
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==([^ ;\n]+)", text, re.MULTILINE)}


def resolved() -> dict[str, str]:
    """Version by name, of the tools and all that they need. CalledProcessError where nothing fits."""
    with tempfile.TemporaryDirectory() as folder:
        pins, report = Path(folder) / "pins.txt", Path(folder) / "report.json"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in locked().items()))
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run",
             "--ignore-installed", "--report", str(report), "--constraint", str(pins), *TOOLS],
            check=True,
        )  # fmt: skip
        return {
            normal(one["metadata"]["name"]): one["metadata"]["version"]
            for one in json.loads(report.read_text())["install"]
        }


def main() -> None:
    have = ours()
    more = {name: version for name, version in resolved().items() if have.get(name) != version}
    LOCK.write_text(HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(more.items())))


if __name__ == "__main__":
    main()
