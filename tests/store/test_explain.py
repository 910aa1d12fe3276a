"""Every file can say what made it, and what would be different now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from teachable.artifacts import Recipe, Store, digest
from teachable.artifacts import fingerprint as fp
from teachable.artifacts.explain import differences, explain, nearest, since

MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def made(tmp_path: Path, store: Store) -> tuple[Path, Path, Recipe]:
    """An input, an output and the recipe, of a stage whose code is a real module of the package."""
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("input")
    out.write_text("output")
    modules = ("teachable.tables",)
    recipe = Recipe(
        "toy",
        fp.fingerprint(*modules),
        {"lora": {"rate": 0.5, "rank": 8}, "names": ["a"]},
        {"text": [digest(source)]},
        fp.versions(fp.library_imports(*modules)),
        ("out",),
        notes={
            "modules": list(modules),
            "code": fp.parts(*modules),
            "inputs": {"text": [str(source)]},
            "outputs": {"out": str(out)},
        },
    )
    store.publish(recipe, {"out": out}, {"seconds": 3.5})
    return source, out, recipe


def test_an_unchanged_file_would_be_restored(store: Store, made: tuple[Path, Path, Recipe]) -> None:
    _, out, recipe = made
    result = explain(store, out)
    assert result.current
    assert result.matches[0].role == "out"
    text = result.text()
    for fact in (
        "made by toy, output out",
        "3.5 s",
        "lora.rate = 0.5",
        "library polars",
        "restored, not computed",
    ):
        assert fact in text
    assert explain(store, out, recipe).current


def test_a_changed_input_is_named(store: Store, made: tuple[Path, Path, Recipe]) -> None:
    source, out, _ = made
    source.write_text("another input")
    (found,) = explain(store, out).now or ()
    assert (found.kind, found.after) == ("inputs", digest(source))
    assert str(source) in found.name
    source.unlink()
    (found,) = explain(store, out).now or ()
    assert "gone" in str(found)


def test_changed_code_is_named_by_module(
    store: Store, made: tuple[Path, Path, Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = made
    parts = fp.parts("teachable.tables")
    changed = {**parts, "teachable.errors": "0" * 64, "teachable.added": "1" * 64}
    monkeypatch.setattr(fp, "parts", lambda *modules: changed)
    monkeypatch.setattr(fp, "fingerprint", lambda *modules: "f" * 64)
    result = explain(store, out)
    assert [(item.kind, item.name) for item in result.now or ()] == [
        ("code", "teachable.added"),
        ("code", "teachable.errors"),
    ]
    assert not result.current


def test_another_version_is_named(
    store: Store, made: tuple[Path, Path, Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, recipe = made
    monkeypatch.setattr(fp, "versions", lambda libraries: dict.fromkeys(["python", *libraries], "99"))
    assert {(item.kind, item.name, item.after) for item in explain(store, out).now or ()} == {
        ("versions", name, "99") for name in recipe.versions
    }


def test_changed_parameters_are_named_when_the_present_recipe_is_known(
    store: Store, made: tuple[Path, Path, Recipe]
) -> None:
    _, out, recipe = made
    params = {"lora": {"rate": 0.25, "rank": 8}, "names": ["a", "b"], "new": None}
    now = Recipe(recipe.stage, recipe.code, params, recipe.inputs, recipe.versions, recipe.outputs)
    result = explain(store, out, now)
    assert {(item.name, item.before, item.after) for item in result.now or ()} == {
        ("lora.rate", "0.5", "0.25"),
        ("names", '["a"]', '["a","b"]'),
        ("new", "", "null"),
    }
    assert "0.5 -> 0.25" in result.text()


def test_a_file_changed_by_hand_is_compared_with_the_nearest_record(
    store: Store, made: tuple[Path, Path, Recipe], recipe: MakeRecipe
) -> None:
    _, out, original = made
    far = Recipe("toy", "0" * 64, {}, {}, {}, ("out",))
    store.publish(far, {"out": out})
    out.write_text("edited")
    result = explain(store, out)
    assert result.matches == ()
    assert result.nearest is not None
    assert result.nearest.key == original.key
    assert "no record of the store made these bytes" in result.text()
    near = Recipe("toy", original.code, {**original.params, "x": 1}, original.inputs, original.versions, ("out",))
    found = nearest(store, out, near)
    assert found is not None
    assert found.key == original.key
    assert nearest(store, out, recipe(stage="unheard")) is None


def test_a_file_in_a_directory_leads_to_the_directory(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "sub" / "w.bin").write_bytes(b"weights")
    store.publish(recipe(), {"out": model})
    match = explain(store, model / "sub" / "w.bin").matches[0]
    assert (match.role, match.member) == ("out", "sub/w.bin")
    assert explain(store, model).matches[0].member == ""


def test_a_record_without_notes_says_that_the_present_is_unknown(
    store: Store, recipe: MakeRecipe, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("x")
    record = store.publish(recipe(), {"out": tmp_path / "out"})
    assert record is not None
    assert since(record) is None
    assert "unknown" in explain(store, tmp_path / "out").text()
    assert differences(recipe(), recipe()) == ()
