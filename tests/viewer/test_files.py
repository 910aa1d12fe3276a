"""What the files of the viewer hold: everything the tables have, each text as it is, nothing else."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from teachable.supervision import patches
from teachable.teacher.advice import AdviceText
from teachable.viewer import PAGE, TITLE, Sources, files, page
from teachable.viewer.details import chunks
from teachable.viewer.encode import names, words
from teachable.viewer.index import ENDED, ended

from .synthetic import COMMANDS, HOSTILE, MODELS, STEPS, sources

COUNT = 240


@pytest.fixture(scope="module")
def tables() -> Sources:
    return sources(COUNT)


@pytest.fixture(scope="module")
def made(tables: Sources) -> dict[str, str]:
    return dict(files(tables, preset="toy", verbosity="compact"))


def told(text: str) -> Any:
    """The JSON that a data file hands to the page's function."""
    found = re.fullmatch(r"(?:index\(|chunk\(\d+,)(.*)\);\n", text, re.DOTALL)
    assert found
    return json.loads(found[1])


def unpacked(text: str, bits: int) -> list[int]:
    found: list[int] = np.frombuffer(base64.b64decode(text), f"<u{bits // 8}").tolist()
    return found


def unnamed(packed: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for shared, rest in zip(unpacked(packed["shared"], 8), packed["rest"], strict=True):
        found.append((found[-1][:shared] if found else "") + rest)
    return found


def test_every_snapshot_is_in_the_index_and_in_its_chunk(made: dict[str, str], tables: Sources) -> None:
    whole = told(made["data/index.js"])
    ids = unnamed(whole["ids"])
    assert ids == tables.ordered()["snapshot_id"].to_list()
    assert set(made) == {PAGE, "data/index.js", *(f"data/{k}.js" for k in range(-(-COUNT // whole["size"])))}
    for k, name in enumerate(ids):
        if k % 37 == 0 or k == COUNT - 1:
            assert told(made[f"data/{k // whole['size']}.js"])["snapshots"][k % whole["size"]]["id"] == name


def test_columns_of_the_index_are_those_of_the_table(made: dict[str, str], tables: Sources) -> None:
    whole, rows = told(made["data/index.js"]), tables.ordered()
    for name, column in whole["words"].items():
        codes = unpacked(column["codes"], column["bits"])
        expected = ended(rows, tables.episodes) if name == ENDED else rows[name]
        assert [column["words"][code] for code in codes] == expected.to_list(), name
    for name, column in whole["numbers"].items():
        found = np.frombuffer(base64.b64decode(column), "<f4")
        assert np.allclose(found, rows[name].to_numpy(), atol=1e-6), name


def test_what_a_run_learnt_from_and_where_it_won(made: dict[str, str], tables: Sources) -> None:
    rows = tables.ordered()
    number = {name: k for k, name in enumerate(rows["snapshot_id"])}
    runs = {run["name"]: run for run in told(made["data/index.js"])["runs"]}
    assert list(runs) == ["base", "B1_uniform", "Q1_demo", "S_oracle_k4"] or set(runs) == set(MODELS)
    assert tables.examples is not None
    assert tables.played is not None
    for name, run in runs.items():
        learnt = {number[s] for s in tables.examples.filter(pl.col("run") == name)["snapshot_id"]}
        assert set(unpacked(run["trained"], 32)) == learnt
        won = tables.played.filter((pl.col("model") == name) & pl.col("success"))["snapshot_id"]
        tried = dict(zip(unpacked(run["tried"], 32), unpacked(run["wins"], 16), strict=True))
        assert {k for k, wins in tried.items() if wins} == {number[s] for s in won}
    assert not unpacked(runs["base"]["trained"], 32)


def test_a_snapshot_has_all_that_the_tables_have(made: dict[str, str], tables: Sources) -> None:
    chunk = told(made["data/0.js"])
    text = chunk["texts"]
    rows = {row["snapshot_id"]: row for row in tables.labeled.iter_rows(named=True)}
    assert tables.advice is not None
    advised = {row["snapshot_id"]: row for row in tables.advice.iter_rows(named=True)}
    for one in chunk["snapshots"][:20]:
        row = rows[one["id"]]
        assert [text[ref] for ref in one["commands"]] == row["commands"]
        assert np.allclose(one["policy"], np.exp(row["logp"]), rtol=1e-4)
        assert np.isclose(one["measured"]["p_demo"], row["p_demo"], rtol=1e-4)
        assert len(one["values"]) == COMMANDS
        assert [text[value[0]] for value in one["values"]] == row["commands"]
        steps = chunk["episodes"][one["episode"]]["steps"]
        assert [step["step"] for step in steps] == list(range(STEPS))
        read = patches(AdviceText.from_rows(row, advised[one["id"]]), verbosity="compact", key=one["id"])
        assert {name: text[ref] for name, ref in one["patches"].items()} == {k: v for k, v in read.items() if v}
    learnt = [one for one in chunk["snapshots"] if one["examples"]]
    assert learnt
    assert text[learnt[0]["examples"][0]["completion"]] == rows[learnt[0]["id"]]["suggested_action"]
    tried = next(one for one in chunk["snapshots"] if one["runs"])
    assert {run["model"] for run in tried["runs"]} == set(MODELS)
    assert all(run["played"] == 1 and len(run["shown"]) == 1 and len(run["probes"]) == 1 for run in tried["runs"])


def test_an_episode_stands_once_in_a_chunk(made: dict[str, str]) -> None:
    chunk = told(made["data/0.js"])
    assert len(chunk["episodes"]) == 25
    assert len({episode["id"] for episode in chunk["episodes"]}) == 25
    assert len(chunk["texts"]) == len(set(chunk["texts"]))


def test_data_are_ascii_and_hostile_text_is_only_a_value(made: dict[str, str]) -> None:
    for name, text in made.items():
        if name != PAGE:
            assert text.isascii(), name
    everything = {
        text for name in made if name.startswith("data/") and "index" not in name for text in told(made[name])["texts"]
    }
    assert set(HOSTILE) <= everything

    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for one in value.values() for key in keys(one)}
        return {key for one in value for key in keys(one)} if isinstance(value, list) else set()

    for name in made:
        if name.startswith("data/"):
            assert not any(re.search(r"\W|__", key) for key in keys(told(made[name])) - {"Q1_demo"}), name


def test_the_page_lets_nothing_run_or_load_but_itself_and_its_data() -> None:
    text = page()
    assert TITLE in text
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" in policy
    assert not re.search(
        r"https?://|@(policy|style|script)@|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text
    )
    assert not re.search(r"<[^>]+\s(on\w+|style)=", text.partition("<script>")[0])


def test_what_is_missing_is_named_and_left_out(tables: Sources) -> None:
    bare = Sources(tables.labeled.head(5))
    made = dict(files(bare, preset="toy", verbosity="compact"))
    whole, chunk = told(made["data/index.js"]), told(made["data/0.js"])
    assert set(whole["absent"]) == {field.name for field in dataclasses.fields(Sources)} - {"labeled"}
    assert whole["runs"] == []
    one = chunk["snapshots"][0]
    assert (one["episode"], one["patches"], one["advice"], one["ended"], one["micro"]) == (None, None, None, None, None)
    assert one["values"] == one["examples"] == one["runs"] == one["tries"] == []
    assert chunk["texts"][one["read"]["goal"]] == "Find the map."


def test_no_snapshot_at_all_is_a_page_still(tables: Sources) -> None:
    made = dict(files(Sources(tables.labeled.clear()), preset="toy", verbosity="compact"))
    assert set(made) == {PAGE, "data/index.js"}
    assert told(made["data/index.js"])["count"] == 0


def test_advice_that_makes_no_patch_says_why(tables: Sources) -> None:
    assert tables.advice is not None
    invalid = tables.advice.with_columns(valid=pl.lit(False), reason=pl.lit("not admissible"))
    rows = tables.ordered().head(3)
    rows = rows.with_columns(ended(rows, None).alias(ENDED))
    (chunk,) = chunks(rows, dataclasses.replace(tables, advice=invalid), 100, "compact")
    assert all(one["patches"] is None and "not admissible" in one["untold"] for one in chunk["snapshots"])


def test_order_of_the_rows_does_not_matter(tables: Sources, made: dict[str, str]) -> None:
    mixed = {
        field.name: None if (table := getattr(tables, field.name)) is None else table.reverse()
        for field in dataclasses.fields(Sources)
        if field.name in {"labeled", "steps", "episodes", "advice"}
    }
    again = dict(files(dataclasses.replace(tables, **mixed), preset="toy", verbosity="compact"))
    assert again == made


def test_names_share_what_they_begin_with_but_no_half_of_a_character() -> None:
    given = ["", "abc", "abd", "ab\U0001f600x", "ab\U0001f600y", "a" * 400, "a" * 400 + "b"]
    packed = names(given)
    assert unnamed(packed) == given
    shared = unpacked(packed["shared"], 8)
    assert shared[4] == 2
    assert max(shared) == 255


def test_many_words_take_wider_codes() -> None:
    column = pl.Series([f"w{k}" for k in range(300)] + [None])
    made = words(column)
    assert made["bits"] == 16
    assert unpacked(made["codes"], 16)[-1] == 0
    assert [made["words"][code] for code in unpacked(made["codes"], 16)] == column.to_list()


def test_a_hundred_thousand_snapshots_have_an_index_of_a_few_megabytes(many: Sources, large: Path) -> None:
    text = (large / "data/index.js").read_text()
    ids = many.ordered()["snapshot_id"].to_list()
    assert len(text) < 12e6
    assert unnamed(told(text)["ids"]) == ids
    for number in (0, 500, 999):
        text = (large / f"data/{number}.js").read_text()
        chunk = told(text)
        assert len(text) < 2e6
        assert [one["id"] for one in chunk["snapshots"]] == ids[number * 100 : number * 100 + 100]
        assert all(one["episode"] is not None for one in chunk["snapshots"])
