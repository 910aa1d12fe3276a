"""A fingerprint moves with every edit that can reach the stage, and with no other."""

from __future__ import annotations

import importlib
import sys
import textwrap
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
        PROMPT = (files(__package__) / "prompt.txt").read_text()
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


# What one module says, another file of the package, and whether an edit to that file counts.
READS = [
    ("from importlib import import_module as load\nx = load('pk.extra')", "extra.py", True),
    ("import importlib\nload = importlib.import_module\nx = load('pk.extra')", "extra.py", True),
    ("from importlib import import_module\ndef f(n): return import_module('pk.far.' + n)", "far/extra.py", True),
    ("from importlib import import_module\ndef f(n): return import_module('pk.far.%s' % n)", "far/extra.py", True),
    (
        "from importlib import import_module\ndef f(n): return import_module('pk.far.{}'.format(n))",
        "far/extra.py",
        True,
    ),
    ("from importlib import import_module\nnames = [f'pk.far.{n}' for n in 'ab']", "far/extra.py", True),
    (
        "from importlib import import_module\ndef f(n): return import_module('.'.join((__package__, n)))",
        "extra.py",
        True,
    ),
    ("import runpy\nrunpy.run_module('pk.extra')", "extra.py", True),
    ("import runpy\nrunpy.run_path(HERE / 'extra.py')", "extra.py", True),
    ("COMMAND = (sys.executable, '-m', 'pk.extra')", "extra.py", True),
    ("import os\nos.system('python3 -m pk.extra --quick')", "extra.py", True),
    ("FLAG = '-m'\nMODULE = 'pk.extra'\nCOMMAND = [sys.executable, FLAG, MODULE]", "extra.py", True),
    ("MODULE = 'pk.extra'", "extra.py", False),
    ("__imports__ = ()\nfrom importlib import import_module\nx = import_module(f'pk.far.{n}')", "far/extra.py", False),
    ("text = files('pk') / 'template.md'", "template.md", True),
    ("text = files('pk') / 'rules.rst'", "rules.rst", True),
    ("text = (HERE / 'far' / 'words.txt').read_text()", "far/words.txt", True),
    ("def f(name): return files('pk.far') / f'{name}.toml'", "far/one.toml", True),
    ("def f(name): return files('pk') / f'{name}.toml'", "one.toml", True),
    ("def f(name): return files('pk') / f'{name}.toml'", "notes.txt", False),
    ("def f(): return list(files('pk').iterdir())", "notes", True),
    ("def f(): return list(files('pk').iterdir())", "lazy.py~", False),
    ("from pk.fast import speed", "fast.cpython-311-x86_64-linux-gnu.so", True),
    ("from pk.slow import speed", "fast.cpython-311-x86_64-linux-gnu.so", False),
]


@pytest.mark.parametrize(("says", "file", "counts"), READS)
def test_what_a_module_may_read_counts(package: Package, says: str, file: str, counts: bool) -> None:
    for folder in ("deep", "far"):
        package.write(f"{folder}/__init__.py", "")
    package.write("lazy.py", says + "\n" + textwrap.dedent(FILES["lazy.py"]))
    package.write(file, "first = 1\n")
    assert package.edit(file, lambda text: "first = 2\n") == counts


# What runs on the way to a stage although nobody names it: the package's own __init__, and what that imports.
ON_THE_WAY = [
    ("import pk.patch\n", "import pk.math.core\npk.math.core.double = print\n", "print", "repr", True),
    ("from .patch import nothing\n", "import random\n_state = random.seed(1)\nnothing = 0\n", "1", "2", True),
    ("import pk.patch\n", "def act():\n    open(1)\n_done = act()\n", "open(1)", "open(2)", True),
    ("import pk.patch\n", "def act():\n    open(1)\n", "open(1)", "open(2)", False),
    ("import pk.patch\n", "LIMIT = frozenset({1})\n", "1", "2", False),
    ("import pk.patch\n", "LIMIT: int = 1\n'What it is.'\n", "What it is", "What it was", False),
    ("def late():\n    import pk.patch\n", "import os\nos.umask(1)\n", "1", "2", False),
]


@pytest.mark.parametrize(("package_says", "says", "old", "new", "counts"), ON_THE_WAY)
def test_what_runs_on_the_way_counts_by_its_effects(
    package: Package, package_says: str, says: str, old: str, new: str, counts: bool
) -> None:
    package.write("__init__.py", package_says)
    package.write("patch.py", says)
    assert package.edit("patch.py", lambda text: text.replace(old, new)) == counts


@pytest.mark.parametrize(
    ("reader", "counts"),
    [
        ("def core_help():\n    import pk.math.core\n    return pk.math.core.double.__doc__\n", True),
        ("import inspect\nfrom pk.math.core import double\nHELP = inspect.getdoc(double)\n", True),
        ("from pk.math.core import double\n", False),
    ],
)
def test_docstrings_count_where_they_are_data(package: Package, reader: str, counts: bool) -> None:
    package.write("math/core.py", "def double(x):\n    'Twice.'\n    return 2 * x\n")
    package.write("lazy.py", reader + textwrap.dedent(FILES["lazy.py"]))
    assert package.edit("math/core.py", lambda text: text.replace("Twice", "Two times")) == counts


def test_a_docstring_of_its_own_counts_where_it_is_read(package: Package) -> None:
    package.write("other.py", "'Usage: one'\nthing = __doc__\n")
    before = package.fingerprint("pk.stages.b")
    package.write("other.py", "'Usage: two'\nthing = __doc__\n")
    assert package.fingerprint("pk.stages.b") != before


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


def test_a_stage_knows_its_own_rooms_only() -> None:
    """One import of the whole library, in a module that all stages share, would tie every stage to every edit."""
    from teachable.stages import STAGES

    parts = {name: set(fp.parts(stage.module)) for name, stage in STAGES.items()}
    assert {name for name, found in parts.items() if found & {"teachable", "teachable.study"}} == set()
    rooms = {
        name: {part.split(".")[1] for part in found if " " not in part and "/" not in part}
        for name, found in parts.items()
    }
    ground = {"errors", "formats", "stages", "tables", "terms", "version"}
    assert rooms["concat"] == ground
    assert rooms["label"] == ground | {"labels"}
    assert "paper" in rooms["figure"]
    assert not rooms["figure"] & {"rollouts", "student", "teacher", "training", "worlds"}
    assert not rooms["train"] & {"labels", "paper", "predictor", "rollouts", "selection", "worlds"}


def test_a_snakefile_reads_every_file_once_and_parses_none_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes the fingerprints of all stages cheap, in every process that parses the workflow."""
    from teachable.stages import STAGES

    before = fp.fingerprint(*(stage.module for stage in STAGES.values()))
    forget()
    read: list[Path] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    monkeypatch.setattr(fp, "analyse", lambda *_: pytest.fail("parsed again"))
    assert fp.fingerprint(*(stage.module for stage in STAGES.values())) == before
    assert len(set(read)) == len(read) > 100
