"""The registry holds what the protocol lists, and each item's module, files and inputs are where it says."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.artifacts.declared import declared
from teachable.artifacts.fingerprint import parts
from teachable.errors import TeachableError
from teachable.paper import CRITERIA_INPUTS, FIGURES, MINIMUM, TABLES, Table

ROOM = Path(__file__).parents[2] / "src" / "teachable" / "paper"

# Section 15 of the protocol.
PROTOCOL_FIGURES = [
    *("h1_1", "h1_2", "h1_3", "h1_4", "h1_5", "h1_6", "h2_1", "h2_2", "h3_1", "h3_2", "h4_1", "h4_2"),
    *("h5_1", "h5_2", "h5_3", "h5_4", "h6_1", "h6_2", "h6_3", "h6_4", "h6_5", "h7_1", "h7_2"),
    *("a1", "a2", "a3", "a4", "a5", "thresholds", "summary"),
]
PROTOCOL_TABLES = [
    *("h1_1", "h1_2", "h1_3", "h1_4", "h2_1", "h2_2", "h3_1", "h3_2", "h4_1", "h4_2"),
    *("h5_1", "h6_1", "h6_2", "h7_1", "h7_2", "summary"),
]
ITEMS = [*FIGURES.values(), *TABLES.values()]


def test_every_item_of_the_protocol_in_its_order() -> None:
    assert [name for name in FIGURES if name in PROTOCOL_FIGURES] == PROTOCOL_FIGURES
    assert [name for name in TABLES if name in PROTOCOL_TABLES] == PROTOCOL_TABLES
    assert MINIMUM == {
        "figures": ("h1_1", "h2_1", "h3_1", "h4_1", "h5_3", "h6_1", "h7_1"),
        "tables": ("h1_1", "h2_1", "h5_1"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X = 1", "needs ABOUT"),
        ("ABOUT = {'title': name()}", "written in literals"),
        ("ABOUT = ('h1',)", "needs ABOUT"),
    ],
)
def test_a_module_that_declares_nothing_readable_is_named(tmp_path, text: str, said: str) -> None:
    (tmp_path / "new.py").write_text(text)
    with pytest.raises(TeachableError, match=said) as caught:
        declared(tmp_path / "new.py")
    assert str(tmp_path / "new.py") in str(caught.value)


@pytest.mark.parametrize(
    ("printed", "said"),
    [({"colums": ("a",)}, "no 'colums': it may have wide, columns"), ({"rows": {}}, "rows and note")],
)
def test_a_table_that_says_wrongly_what_it_prints_is_refused(printed, said: str) -> None:
    with pytest.raises(TeachableError, match=said):
        Table("x", "H1", "Title", "Caption.", ("labeled",), printed=printed)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.module.removeprefix("teachable.paper."))
def test_entry_is_complete(item) -> None:
    assert importlib.util.find_spec(item.module) is not None
    assert item.title
    assert item.caption.endswith(".")
    assert "{" not in item.caption
    assert item.inputs
    assert set(item.inputs) <= set(ARTIFACTS)
    if item.id in FIGURES and FIGURES[item.id] is item:
        assert item.files == (f"figures/fig_{item.id}.pdf", f"figures/fig_{item.id}.png")
    else:
        assert item.files == (
            f"tables/tab_{item.id}.tex",
            f"tables/tab_{item.id}.csv",
            f"tables/tab_{item.id}_full.tex",
        )


def test_what_is_read_is_a_table_or_json_and_says_what_it_holds() -> None:
    for name in {*CRITERIA_INPUTS, *(name for item in ITEMS for name in item.inputs)}:
        artifact = ARTIFACTS[name]
        assert artifact.kind in ("table", "json"), name
        assert artifact.holds, name
        assert artifact.schema is None or hasattr(tables, artifact.schema), name
    assert set(CRITERIA_INPUTS) <= set(ARTIFACTS)


def test_registry_loads_without_matplotlib_and_the_room_without_torch() -> None:
    modules = [
        ".".join(path.relative_to(ROOM.parents[1]).with_suffix("").parts).removesuffix(".__init__")
        for path in ROOM.rglob("*.py")
    ]
    script = (
        "import sys, importlib\n"
        "import teachable.paper\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "bad = {'torch', 'transformers', 'textworld'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.module.removeprefix("teachable.paper."))
def test_no_item_computes_an_interval_or_draws_a_random_number(item) -> None:
    source = Path(importlib.util.find_spec(item.module).origin).read_text()
    names = {ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Attribute, ast.Name))}
    imported = " ".join(
        ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))
    )
    for wrong in ("stats", "seeds", "random"):
        assert wrong not in imported
        assert not any(part == wrong for name in names for part in name.split("."))


def test_an_edit_to_one_figure_reaches_no_other() -> None:
    for item in ("h1_1", "h5_3", "a4"):
        reached = [name for name in parts(FIGURES[item].module) if name.startswith("teachable.paper.figures.")]
        assert reached == [f"teachable.paper.figures.{item}"]
    items = ("teachable.paper.figures.", "teachable.paper.tables.")
    general = [name for name in parts("teachable.paper.render") if name.startswith(items)]
    assert general == []
    assert "teachable.paper.registry" not in parts(FIGURES["h1_1"].module)
