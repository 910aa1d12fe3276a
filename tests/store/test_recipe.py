"""One recipe, one spelling; and no secret in any of them."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teachable.artifacts import Recipe, RecipeError, canonical_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        names = list(value)
        rng.shuffle(names)
        return {name: shuffled(value[name], rng) for name in names}
    if isinstance(value, list):
        return tuple(shuffled(item, rng) for item in value)
    return value


@given(value=VALUES, seed=st.integers(0, 1000))
def test_canonical_json_knows_one_spelling(value: Any, seed: int) -> None:
    text = canonical_json(value)
    assert canonical_json(shuffled(value, random.Random(seed))) == text
    assert canonical_json(json.loads(text)) == text
    assert json.loads(text) == value


def test_what_differs_stays_apart() -> None:
    values = [None, False, True, 0, 1, 1.5, "1", "", [], {}, [1], ["1"], {"a": 1}, {"a": None}, [[]], "true"]
    assert len({canonical_json(value) for value in values}) == len(values)
    assert canonical_json(0.1 + 0.2) != canonical_json(0.3)
    assert canonical_json(-0.0) == canonical_json(0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, {"a": {1, 2}}, object(), b"bytes"])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(RecipeError):
        canonical_json({"x": value})


@pytest.mark.parametrize(
    "params",
    [
        {"api_key": "x"},
        {"teacher": {"OPENAI_API_KEY": "x"}},
        {"list": [{"password": "x"}]},
        {"hf_token": "x"},
        {"token": "x"},
        {"url": "sk-proj-abcdefghijklmnopqrstuvwx"},
        {"teacher": {"header": "Bearer abcdefghijklmnop"}},
        {"a": ["hf_" + "a" * 30]},
    ],
)
def test_what_looks_like_a_secret_is_refused_and_not_repeated(params: dict[str, Any]) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe("toy", "c" * 64, params)
    assert "environment variable" in str(caught.value)
    assert "abcdefgh" not in str(caught.value)


@pytest.mark.parametrize(
    "params",
    [
        {"api_key_env": "OPENAI_API_KEY"},
        {"max_tokens": 10, "batch_tokens": 3, "token_budget": 5},
        {"api_key": ""},
        {"secretary": "x", "keys": ["a"], "keyword": "token"},
    ],
)
def test_what_only_sounds_like_one_is_not(params: dict[str, Any]) -> None:
    assert Recipe("toy", "c" * 64, params).key


@pytest.mark.parametrize("stage", ["", "../x", "a/b", ".hidden", "a b"])
def test_a_stage_is_a_plain_name(stage: str) -> None:
    with pytest.raises(RecipeError):
        Recipe(stage, "c" * 64)


def test_a_recipe_survives_its_document() -> None:
    recipe = Recipe("toy", "c" * 64, {"a": [1, 2.5, None]}, {"x": ("d" * 64,)}, {"numpy": "2"}, ("out",))
    again = Recipe.from_document(json.loads(json.dumps(recipe.document())))
    assert again.key == recipe.key
    with pytest.raises(RecipeError, match="format"):
        Recipe.from_document({**recipe.document(), "format": 0})


def test_the_environment_is_never_in_a_record(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from teachable.artifacts.store import Store

    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-value-000000")
    store = Store(tmp_path / "store")
    made = tmp_path / "made"
    made.write_text("x")
    store.publish(Recipe("toy", "c" * 64), {"out": made})
    assert all(b"very-secret" not in path.read_bytes() for path in store.root.rglob("*") if path.is_file())
