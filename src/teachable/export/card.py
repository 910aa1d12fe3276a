"""README.md of an exported folder: the card that the Hugging Face hub reads, with what each column means."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from teachable import tables
from teachable.export.found import ExportError, Found
from teachable.terms import ORACLE, expert_name
from teachable.version import __version__

DISTRIBUTION = "teachable-moments"


def licence() -> str:
    """The licence that the package declares, as the hub spells it. Raises ExportError where it is not installed."""
    try:
        said = importlib.metadata.metadata(DISTRIBUTION).json.get("license_expression")
    except importlib.metadata.PackageNotFoundError:
        said = None
    if not said:
        raise ExportError(
            f"{DISTRIBUTION} is not installed, so its licence is not known: `pip install -e .` installs it."
        )
    return str(said).lower()


def card(front: Mapping[str, Any], *parts: str) -> str:
    """A card: its front matter, with the licence, then ``parts`` with a blank line between."""
    head = yaml.safe_dump({"license": licence(), **front}, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{head}---\n\n" + "\n\n".join(part.strip() for part in parts) + "\n"


def grid(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def columns_of(path: Path) -> str:
    """The columns of a table on disk as it describes itself: type, unit, meaning."""
    described = tables.describe(path).columns
    return grid(
        ("column", "type", "unit", "meaning"),
        [
            (f"`{name}`", str(what.dtype).replace("large_", ""), what.unit, what.meaning)
            for name, what in described.items()
        ],
    )


def origin(found: Found) -> str:
    """What study this is from: no path of a machine, no address and no key is in it."""
    config = found.config()
    if not config:
        return f"Made by teachable-moments {__version__}, from results without a configuration."
    student, teacher = config["student"], config["teacher"]
    who = "the built-in one" if student["source"] == "builtin" else public_name(student["path"])
    said = "the game's solver" if teacher["source"] == "oracle" else teacher["model"]
    named = expert_name(config.get("expert"))
    playing = "" if named == ORACLE else f"; expert: {named}"
    return (
        f"Made by teachable-moments {__version__} from a study with preset `{config['preset']}`, seed "
        f"{config['seed']}, world `{config['world']['name']}`; student: {who}; teacher: {said}{playing}. The "
        "texts are those of the games, the student and the teacher; the licence above is that of the program."
    )


def public_name(path: str) -> str:
    """The name of a model on the hub as it is, of a folder its last part only."""
    hub = path.count("/") == 1 and not path.startswith((".", "/", "~"))
    return path if hub else Path(path).name
