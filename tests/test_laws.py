"""The laws of the house: which room may know which. CONTRIBUTING.md states them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "teachable"


def imports(room: str) -> dict[str, set[str]]:
    """Every module name that a file of a room imports, at any depth, outside ``if TYPE_CHECKING``."""
    place = SOURCE / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    assert files, room
    return {str(path.relative_to(SOURCE)): set(_imported(ast.parse(path.read_text()))) for path in files}


def _imported(tree: ast.AST) -> list[str]:
    found: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        found += _imported(node)
    return found


FORBIDDEN = {
    "generation": ("teachable.student", "teachable.rollouts", "teachable.labels", "torch", "teachable.stages"),
    "worlds": (
        "teachable.generation",
        "teachable.student",
        "teachable.rollouts",
        "teachable.labels",
        "teachable.teacher",
        "torch",
        "teachable.stages",
    ),
    "teacher": ("teachable.rollouts", "teachable.student", "torch", "teachable.stages"),
    "labels": ("torch", "transformers", "pathlib", "teachable.worlds", "teachable.stages"),
    "stats": ("torch", "polars", "pathlib", "teachable.labels", "teachable.worlds", "teachable.student"),
    "rollouts": ("teachable.labels", "torch", "pathlib.Path.write", "teachable.stages"),
    "supervision": ("teachable.student", "torch", "teachable.training"),
    "training": ("teachable.stages", "torch"),
    "evaluation": ("teachable.stages", "teachable.paper", "torch"),
    "pipeline": ("teachable.stages", "teachable.paper", "teachable.store"),
    "study": ("teachable.stages", "teachable.paper", "teachable.store"),
    "predictor": ("teachable.stages", "torch", "teachable.student", "teachable.worlds"),
    "paper": ("torch", "transformers", "teachable.student", "teachable.worlds", "teachable.stages"),
    "store": ("torch", "polars", "teachable.worlds", "teachable.student", "teachable.labels"),
    "tables": ("torch", "teachable.labels", "teachable.stages"),
    "config": ("torch", "polars", "teachable.stages", "teachable.student", "teachable.worlds"),
}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_room_knows_what_it_must_not(room: str) -> None:
    for path, names in imports(room).items():
        for name in names:
            for wrong in FORBIDDEN[room]:
                assert not f"{name}.".startswith(f"{wrong}."), f"{path} imports {name}"


def test_words_of_one_world_are_said_in_its_rooms_only() -> None:
    words = re.compile(r"\b(cookbook|knife|oven|stove|bbq|fried|roasted|grilled|kitchen)\b", re.IGNORECASE)
    for path in SOURCE.rglob("*.py"):
        if not path.relative_to(SOURCE).as_posix().startswith(("worlds/textworld/", "generation/textworld/")):
            assert not words.search(path.read_text()), path


def test_nothing_imports_the_command_line() -> None:
    for path in SOURCE.rglob("*.py"):
        if path.name != "cli.py":
            assert not any(name.startswith("teachable.cli") for name in _imported(ast.parse(path.read_text()))), path


def test_student_runs_without_the_rest_of_the_package() -> None:
    allowed = {
        "torch",
        "transformers",
        "peft",
        "tokenizers",
        "safetensors",
        "numpy",
        "huggingface_hub",
        "jinja2",
    }
    for path, names in imports("student").items():
        for name in names:
            top = name.split(".")[0]
            assert (
                top in allowed
                or top in sys.stdlib_module_names
                or top == "__future__"
                or name.startswith("teachable.student")
            ), f"{path} imports {name}"


@pytest.mark.parametrize(
    "module",
    [
        "teachable.cli",
        "teachable.stages",
        "teachable.stages.commandline",
        "teachable.store",
        "teachable.labels.label",
        "teachable.stats",
        "teachable.paper",
        "teachable.student.prompt",
        "teachable.fingerprint",
    ],
)
def test_light_modules_do_not_load_torch(module: str) -> None:
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_nothing_is_unpickled_and_no_remote_code_is_trusted() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert "trust_remote_code=True" not in text, path
        names = _imported(ast.parse(text))
        assert not any(name.split(".")[0] in ("pickle", "dill", "joblib", "cloudpickle") for name in names), path
        assert "torch.load(" not in text, path
