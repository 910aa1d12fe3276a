"""The laws of the house that no import contract (`lint-imports`, pyproject.toml) can express."""

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
    files = sorted((SOURCE / room).rglob("*.py"))
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


def test_words_of_one_world_are_said_in_its_rooms_only() -> None:
    words = re.compile(r"\b(cookbook|knife|oven|stove|bbq|fried|roasted|grilled|kitchen|fridge)\b", re.IGNORECASE)
    rooms = ("worlds/textworld/", "generation/textworld/", "worlds/textworld_express/", "worlds/scienceworld/")
    for path in SOURCE.rglob("*.py"):
        if not path.relative_to(SOURCE).as_posix().startswith(rooms):
            assert not words.search(path.read_text()), path


def test_student_needs_these_libraries_only() -> None:
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
        "teachable.artifacts.commandline",
        "teachable.artifacts.store",
        "teachable.labels.label",
        "teachable.stats",
        "teachable.export",
        "teachable.student.conversation",
        "teachable.paper",
        "teachable.student.prompt",
        "teachable.artifacts.fingerprint",
    ],
)
def test_light_modules_do_not_load_torch(module: str) -> None:
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_no_remote_code_is_trusted_and_no_pickle_loaded() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert "trust_remote_code=True" not in text, path
        assert "torch.load(" not in text, path
