"""A fingerprint moves with every edit that can reach the stage, and with no other."""

from __future__ import annotations

import importlib
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from teachable.artifacts import fingerprint as fp

FILES = {
    "__init__.py": '"""Package."""\n__version__ = "1"\n',
    "stages/__init__.py": 'STAGES = {"a": "pk.stages.a"}\n',
    "stages/a.py": """
        '''Stage a.'''
        from pk.math import core
        from pk.worlds import get_world
        def run(x):
            '''Doc.'''
            import numpy as np
            from pk.lazy import late
            return late(core.double(x)) + 1
    """,
    "stages/b.py": "from pk.other import thing\n",
    "math/__init__.py": "from pk.math.unrelated import nothing\n",
    "math/core.py": "def double(x):\n    return 2 * x\n",
    "math/unrelated.py": "def nothing():\n    return None\n",
    "lazy.py": """
        import tqdm, sklearn.linear_model
        from .deep.er import value
        def late(x):
            return x + value
    """,
    "deep/__init__.py": "",
    "deep/er.py": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from pk.typesonly import T
        value = 3
    """,
    "typesonly.py": "T = int\n",
    "other.py": "thing = 1\n",
    "worlds/__init__.py": """
        import importlib
        def get_world(name):
            importlib.import_module("jinja2")
            return importlib.import_module(f"pk.worlds.{name}")
        OTHER = "pk.named"
        WORD = "requests"
    """,
    "worlds/cooking.py": """
        import subprocess, sys
        from pk.later import Late
        RULES = 1
        def child():
            return subprocess.Popen([sys.executable, "-m", "pk.process"])
    """,
    "later/__init__.py": """
        from importlib import import_module
        HOME = {"Late": "late"}
        def __getattr__(name):
            return getattr(import_module(f"{__name__}.{HOME[name]}"), name)
    """,
    "later/late.py": "class Late:\n    x = 1\n",
    "worlds/prompt.txt": "You are a cook.\n",
    "worlds/README.md": "words\n",
    "named.py": "x = 1\n",
    "process.py": "RULES = 1\n",
}


class Package:
    def __init__(self, root: Path) -> None:
        self.root = root / "pk"
        for name, text in FILES.items():
            self.write(name, textwrap.dedent(text).lstrip("\n"))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, change: Callable[[str], str]) -> bool:
        """Whether the edit moves the fingerprint of stage a; the edit is taken back."""
        before = self.fingerprint()
        path = self.root / name
        old = path.read_text() if path.exists() else None
        self.write(name, change(old or ""))
        moved = self.fingerprint() != before
        if old is None:
            path.unlink()
        else:
            path.write_text(old)
        assert self.fingerprint() == before
        return moved

    def fingerprint(self, module: str = "pk.stages.a") -> str:
        forget()
        return fp.fingerprint(module)


def forget() -> None:
    for function in vars(fp).values():
        if hasattr(function, "cache_clear") and function is not fp._memory:
            function.cache_clear()
    importlib.invalidate_caches()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.syspath_prepend(str(tmp_path))
    memory = fp._Memory(tmp_path / "memory.json")
    monkeypatch.setattr(fp, "_memory", lambda: memory)
    made = Package(tmp_path)
    yield made
    forget()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stages/a.py", lambda text: text.replace("+ 1", "+ 2")),
        ("math/core.py", lambda text: text.replace("2 * x", "x * 2")),
        ("lazy.py", lambda text: text.replace("x + value", "x - value")),
        ("deep/er.py", lambda text: text.replace("3", "4")),
        ("worlds/__init__.py", lambda text: text + "y = 1\n"),
        ("worlds/cooking.py", lambda text: text.replace("1", "2")),
        ("worlds/new_world.py", lambda text: "RULES = 2\n"),
        ("worlds/prompt.txt", lambda text: text + "Be brief.\n"),
        ("named.py", lambda text: text.replace("1", "2")),
        ("later/late.py", lambda text: text.replace("1", "2")),
        ("process.py", lambda text: text.replace("1", "2")),
        # a package that only runs on the way counts by what it does to others
        ("__init__.py", lambda text: text + "import os\nos.environ['X'] = '1'\n"),
        ("math/__init__.py", lambda text: text + "print('side effect')\n"),
        # literals of equal value and other type
        ("named.py", lambda text: text.replace("1", "1.0")),
        ("named.py", lambda text: text.replace("1", "True")),
    ],
)
def test_edits_that_can_reach_the_stage_move_it(package: Package, name: str, change: Callable[[str], str]) -> None:
    assert package.edit(name, change)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stages/a.py", lambda text: "# a comment\n\n" + text.replace("    return", "    # why\n    return")),
        ("stages/a.py", lambda text: text.replace("'''Doc.'''", "'''Other words.'''")),
        ("stages/a.py", lambda text: text.replace("'''Stage a.'''", "")),
        (
            "stages/a.py",
            lambda text: text.replace("late(core.double(x)) + 1", "(late(\n  core.double(x),\n  ) + 1)"),
        ),
        ("math/core.py", lambda text: text.replace("2 * x", "0x2  *  x")),
        ("stages/b.py", lambda text: text + "y = 2\n"),
        ("stages/__init__.py", lambda text: text.replace("}", ", 'b': 'pk.stages.b'}")),
        ("__init__.py", lambda text: text.replace('"1"', '"2"')),
        ("other.py", lambda text: text + "y = 2\n"),
        ("math/unrelated.py", lambda text: text + "y = 2\n"),
        ("typesonly.py", lambda text: text + "y = 2\n"),
        ("worlds/README.md", lambda text: text + "more words\n"),
        ("unheard_of.py", lambda text: "z = 1\n"),
    ],
)
def test_edits_that_cannot_do_not(package: Package, name: str, change: Callable[[str], str]) -> None:
    assert not package.edit(name, change)


def test_nothing_is_imported_or_executed(package: Package) -> None:
    package.write("deep/er.py", "raise SystemExit('executed')\n")
    package.fingerprint()
    assert "pk" not in sys.modules


def test_libraries_are_those_the_stage_can_reach(package: Package) -> None:
    forget()
    assert fp.library_imports("pk.stages.a") == (
        "jinja2",
        "numpy",
        "scipy",
        "sklearn",
    )  # not tqdm; scipy works for sklearn
    assert fp.library_imports("pk.stages.b") == ()
    found = fp.versions(["numpy", "sklearn", "no_such_library"])
    assert found["no_such_library"] == "absent"
    assert found["numpy"][0].isdigit()
    assert found["sklearn"][0].isdigit()


def test_several_modules_count_together(package: Package) -> None:
    both = fp.fingerprint("pk.stages.a", "pk.stages.b")
    assert both == fp.fingerprint("pk.stages.b", "pk.stages.a")
    assert both != fp.fingerprint("pk.stages.a")
    assert set(fp.parts("pk.stages.b")) == {"pk.stages.b", "pk.other"}
    assert "pk/worlds/prompt.txt" in fp.parts("pk.stages.a")


def test_mistakes_are_named(package: Package) -> None:
    with pytest.raises(fp.FingerprintError, match=r"no such module"):
        fp.fingerprint("pk.stages.missing")
    with pytest.raises(fp.FingerprintError, match="not an installed package"):
        fp.fingerprint("no_such_package.x")
    package.write("other.py", "def broken(:\n")
    with pytest.raises(fp.FingerprintError, match=r"other\.py:1"):
        package.fingerprint("pk.stages.b")


def test_what_was_remembered_gives_the_same(package: Package, tmp_path: Path) -> None:
    first = package.fingerprint()
    fp._memory().save()
    again = fp._Memory(tmp_path / "memory.json")
    assert len(again.entries) > 5
    (tmp_path / "memory.json").write_text('{"torn')
    assert fp._Memory(tmp_path / "memory.json").entries == {}
    assert package.fingerprint() == first


def test_all_stages_take_less_than_the_parser_of_the_workflow_notices() -> None:
    from teachable.stages import STAGES

    there = [stage.module for stage in STAGES.values() if fp._file(stage.module, fp._package_root(stage.module))]
    for module in there:
        fp.fingerprint(module)
    fp._parts.cache_clear()
    fp._source.cache_clear()
    started = time.perf_counter()
    for module in there:
        fp.fingerprint(module)
    assert time.perf_counter() - started < 1.0  # measured 0.05 s; the bound allows for a busy machine
