"""Setup B beside the student's failures, and the name of an expert that is not the game's solver."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from teachable import tables
from teachable.labels.setups import setups
from teachable.paper import FIGURES, TABLES, typeset
from teachable.paper.inputs import Undefined
from teachable.paper.items import module
from teachable.paper.render import draw
from teachable.stages import STAGES
from teachable.terms import expert_name

from .frames import labeled, theirs


def cells(found: pl.DataFrame) -> dict[tuple[str, str], float]:
    return {(panel, metric): point for panel, metric, point in found.select("panel", "metric", "point").iter_rows()}


def test_means_and_shares_by_hand() -> None:
    own = labeled(8).with_columns(
        pl.Series("quadrant", ["Q1", "Q1", "Q2", "Q4", "Q4", "Q4", None, "Q3"]),
        pl.Series("U", [1.0, 2, 3, 4, 5, 6, 100, 7]),
        source=pl.lit("student"),
    )
    other = theirs(own, 2).with_columns(pl.Series("quadrant", ["Q4", "Q3"]), pl.Series("U", [0.5, 1.5]))
    found = setups(own, other, seed=1, repetitions=30)
    value = cells(found)
    assert value["student", "share_Q4"] == pytest.approx(3 / 7)
    assert value["expert", "share_Q4"] == pytest.approx(1 / 2)
    assert value["difference", "share_Q4"] == pytest.approx(1 / 2 - 3 / 7)
    assert (value["student", "U"], value["expert", "U"]) == (pytest.approx(4.0), 1.0)
    assert value["difference", "U"] == pytest.approx(-3.0)
    whole = {row["panel"]: row for row in found.filter(metric="U").iter_rows(named=True)}
    assert (whole["student"]["n"], whole["expert"]["n"]) == (7, 2)
    assert whole["student"]["clusters"] == own.drop_nulls("quadrant")["task_id"].n_unique()


def test_the_students_side_is_the_same_whatever_setup_b_holds() -> None:
    own = labeled(60).with_columns(source=pl.lit("student"))
    without, few, many = (setups(own, theirs(own, count), seed=1, repetitions=30) for count in (0, 5, 40))
    for found in (few, many):
        assert found.filter(panel="student").equals(without.filter(panel="student"))
        assert set(found["panel"]) == {"student", "expert", "difference"}
    assert set(without["panel"]) == {"student"}


def test_source_tells_them_apart_wherever_a_row_stands() -> None:
    own = labeled(60).with_columns(source=pl.lit("student"))
    other = theirs(own, 12)
    together = setups(pl.concat([own, other]), own.clear(), seed=1, repetitions=30)
    assert together.equals(setups(own, other, seed=1, repetitions=30))


def test_nothing_labelled_is_an_empty_table_and_no_setup_b_an_undefined_figure(data) -> None:
    none = labeled(8).with_columns(quadrant=pl.lit(None, pl.String))
    assert setups(none, none.clear(), seed=1, repetitions=20).equals(tables.empty(tables.METRICS))
    alone = {"setups": data["setups"].filter(panel="student")}
    with pytest.raises(Undefined, match="no failure of the expert"):
        module("figures", "setups").draw(alone)
    assert typeset.make("setups", alone)["setup"].to_list() == ["student"]
    made = typeset.make("setups", data)
    assert made["setup"].to_list() == ["student", "expert", "expert - student"]
    assert made["snapshots"].to_list()[:2] == data["setups"].filter(metric="share_Q1")["n"].to_list()[:2]


def test_an_expert_that_is_not_the_solver_is_named_in_every_item() -> None:
    """L_local is of the expert's command, and with it quadrants, panels, runs, predictor and selections."""
    for item in (*FIGURES.values(), *TABLES.values()):
        assert item.captioned("oracle") == item.captioned(None) == item.caption
        assert item.captioned("teacher gpt-4o").endswith("The expert here is teacher gpt-4o, not the game's solver.")
        assert (item.named("teacher gpt-4o"), item.named("oracle"), item.named(None)) == ("teacher gpt-4o", None, None)


@pytest.mark.parametrize("item", FIGURES)
def test_an_expert_is_named_below_every_figure(item: str, data) -> None:
    plain, said = draw(item, data), draw(item, data, "teacher gpt-4o")
    below = " ".join(said.get_supxlabel().split())
    assert below == "; ".join(filter(None, [" ".join(plain.get_supxlabel().split()), "expert: teacher gpt-4o"]))
    assert draw(item, data, None).get_supxlabel() == plain.get_supxlabel()


@pytest.mark.parametrize("item", TABLES)
def test_a_table_says_it_in_its_caption(item: str, data, tmp_path: Path) -> None:
    run, words = module_of_stage("table").run, "textworld" if TABLES[item].words else None
    for expert, there in ((None, False), ("checkpoint Qwen3-8B", True)):
        out = {kind: tmp_path / f"{expert}-{kind}" for kind in ("tex", "csv", "full")}
        run(data, out, item, words, expert)
        for kind in ("tex", "full"):
            assert ("checkpoint Qwen3-8B" in out[kind].read_text()) == there


def module_of_stage(name: str):
    from importlib import import_module

    return import_module(STAGES[name].module)


def test_names() -> None:
    assert expert_name(None) == expert_name({"source": "oracle", "path": None}) == "oracle"
    assert expert_name({"source": "teacher", "teacher": {"model": "gpt-4o"}}) == "teacher gpt-4o"
    assert expert_name({"source": "checkpoint", "path": "models/Qwen3-8B/"}) == "checkpoint Qwen3-8B"
