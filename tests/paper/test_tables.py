"""Every table is made from its inputs, prints what it stores, and is valid LaTeX and CSV."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from teachable.evaluation.transfer import DIAGONAL
from teachable.paper import TABLES, PaperError, typeset
from teachable.worlds.textworld.words import WORDS

PAIRS = [(item.id, name) for item in TABLES.values() for name in item.inputs]


def given(data, item: str):
    entry = TABLES[item]
    return {**{name: data[name] for name in entry.inputs}, **({"words": WORDS} if entry.words else {})}


@pytest.mark.parametrize("item", TABLES)
@pytest.mark.parametrize("size", ["data", "small"])
def test_is_made_and_written(item: str, size: str, request, tmp_path: Path) -> None:
    frame = typeset.make(item, given(request.getfixturevalue(size), item))
    heads = typeset.headings(item)
    assert len(frame) > 0
    entry = TABLES[item]
    files = {name: tmp_path / f"t.{name}" for name in ("tex", "csv", "full")}
    typeset.save_table(frame, heads, files, caption=entry.caption, label=f"tab:{item}", printed=entry.printed)
    for name, label in (("tex", f"tab:{item}"), ("full", f"tab:{item}_full")):
        text = files[name].read_text()
        for rule in (r"\toprule", r"\bottomrule", r"\caption{", rf"\label{{{label}}}"):
            assert rule in text
        assert text.isascii(), [c for c in text if not c.isascii()]
    kept = pl.read_csv(io.BytesIO(files["csv"].read_bytes()))
    assert kept.height == len(frame)
    assert kept.columns == frame.columns, "all of it, whatever is printed"


@pytest.mark.parametrize(("item", "name"), PAIRS)
def test_a_missing_or_empty_input_is_named(item: str, name: str, data) -> None:
    left = {key: value for key, value in given(data, item).items() if key != name}
    with pytest.raises(PaperError, match=f"'{name}'"):
        typeset.make(item, left)
    if isinstance(data[name], pl.DataFrame):
        said, made = f"'{name}'", None
        try:
            made = typeset.make(item, {**left, name: data[name].head(0)})
        except PaperError as error:
            said = str(error)
        assert f"'{name}'" in said
        assert made is None or made.is_empty()


def test_numbers_are_those_stored(data) -> None:
    stored = data["transfer"].filter(trained_on="Q2", evaluated_on="Q4", format="mean").row(0, named=True)
    row = typeset.make("h4_1", given(data, "h4_1")).row(1, named=True)
    assert (row["Q4"], row["Q4_low"], row["Q4_high"]) == (stored["point"], stored["low"], stored["high"])


def test_detectable_effects_are_those_stored(data) -> None:
    stored = data["contrasts"].filter(contrast=DIAGONAL, panel="failure", group="all", metric="success")
    first = typeset.make("h4_2", given(data, "h4_2")).row(0, named=True)
    assert first["formats"] == "mean of formats"
    assert (first["difference"], first["mde"]) == stored.select("point", "mde").row(0)


def test_shifted_features_are_counted_by_kind_and_teachability_stands_last(data) -> None:
    rows = typeset.make("h6_3", given(data, "h6_3")).filter(model="B2_all")
    assert rows["kind"].to_list() == ["uncertainty", "state", "trail", "teachability"]
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    assert (first["features"], first["shifted"], first["largest"], first["distance"]) == (2, 2, "entropy", 0.4)
    assert rows["shifted"].to_list()[1:3] == [0, 0]
    stored = data["drift_metrics"].filter(model="B2_all@last", group="all", metric="spearman_base")
    assert (last["spearman"], last["spearman_low"]) == stored.select("point", "low").row(0)
    assert last["distance"] is None


def test_main_results_pair_levels_with_changes(data) -> None:
    frame = typeset.make("h5_1", given(data, "h5_1"))
    assert frame["run"].to_list()[:2] == ["base", "Q1_demo"]
    base = frame.row(0, named=True)
    assert base["failure_change"] is None
    row = frame.filter(run="Q4_hint").row(0, named=True)
    stored = data["contrasts"].filter(contrast="Q4_hint-vs-base", panel="failure", group="all", metric="success")
    assert row["failure_change"] == stored["point"][0]


def test_cells_print_intervals_and_gaps() -> None:
    frame = pl.DataFrame(
        {
            "a": [0.123, None, -0.001],
            "a_low": [0.05, None, None],
            "a_high": [-0.2, None, None],
            "p_holm": [0.0002, 0.04, None],
            "n": [1234, 5, 6],
            "name": ["x_y & 5%", "b", None],
        }
    )
    heads = {"name": "Name", "a": "A", "p_holm": "p", "n": "n"}
    assert typeset.cells(frame, heads) == [
        ["x_y & 5%", "0.12 [0.05, −0.20]", "<0.001", "1,234"],
        ["b", "–", "0.040", "5"],
        ["–", "−0.0010", "–", "6"],
    ]
    text = typeset.paper(frame, heads, caption="100% of_it", label="t")
    assert r"x\_\allowbreak{}y \& 5\%" in text
    assert r"\caption{100\% of\_\allowbreak{}it}" in text
    assert "$-$0.20" in text


def test_a_heading_without_column_is_refused() -> None:
    with pytest.raises(PaperError, match="lacks"):
        typeset.cells(pl.DataFrame({"a": [1]}), {"b": "B"})


def test_a_table_of_undefined_numbers_says_so(data, tmp_path: Path) -> None:
    nulls = data["transfer"].with_columns(point=pl.lit(None, pl.Float64))
    frame = typeset.make("h4_1", {"transfer": nulls})
    assert frame.is_empty()
    text = typeset.paper(frame, typeset.headings("h4_1"), caption="c", label="l")
    assert "No estimate is defined" in text
