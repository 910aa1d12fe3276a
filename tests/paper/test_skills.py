"""Skills by quadrant: counted where they lie, held against what was planted, silent where nothing was."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from teachable.labels.skills import DEAD_END, skills
from teachable.paper.planted import sentences
from teachable.paper.tables import h1_4
from teachable.training.gaps import Gap
from teachable.worlds.textworld.words import WORDS

from .frames import labeled

GAPS = {"oven": Gap(0.03, "habit"), "go": Gap(0.1, "dither"), "chop": Gap(0.1, "dither")}
ACTIONS = {"Q1": "go north", "Q2": "go north", "Q3": "eat meal", "Q4": "cook potato with oven"}


def made(actions: dict[str, str | None] | None = None) -> pl.DataFrame:
    """Snapshots whose expert's command is the third of four, with p = 0.2, the first the likeliest."""
    frame = labeled(200).drop_nulls("quadrant")
    action = [(actions or ACTIONS)[quadrant] for quadrant in frame["quadrant"]]
    commands = [["look", "wait", right or "think", "stay"] for right in action]
    logp = [[math.log(p) for p in (0.5, 0.2, 0.2, 0.1)]] * len(frame)
    return frame.with_columns(
        pl.Series("expert_action", action, dtype=pl.String),
        pl.Series("commands", commands),
        pl.Series("logp", logp),
    )


def found(frame: pl.DataFrame, gaps: dict[str, Gap] = GAPS) -> pl.DataFrame:
    return skills(frame, gaps, WORDS.skill_of, seed=1, repetitions=200)


def one(frame: pl.DataFrame, quadrant: str, skill: str) -> dict[str, object]:
    return frame.row(by_predicate=(pl.col("quadrant") == quadrant) & (pl.col("skill") == skill), named=True)


def test_each_skill_is_counted_in_its_quadrant_with_its_means() -> None:
    frame = made()
    table = found(frame)
    line, part = one(table, "Q4", "oven"), frame.filter(quadrant="Q4")
    assert line["snapshots"] == len(part)
    assert line["point"] == 1.0
    assert line["U"] == pytest.approx(part["U"].mean())
    assert line["L_local"] == pytest.approx(part["L_local"].mean())
    assert line["p_right"] == pytest.approx(0.2)
    assert line["already_right"] == 0.0
    assert (line["planted"], line["known"]) == ("habit", 0.03)
    assert one(table, "Q1", "oven")["snapshots"] == 0
    assert one(table, "all", "oven")["point"] == pytest.approx(len(part) / len(frame))
    assert one(table, "all", "eat")["planted"] is None
    for quadrant in ("all", "Q1", "Q2", "Q3", "Q4"):
        here = table.filter(quadrant=quadrant)
        assert here["snapshots"].sum() == 2 * len(frame if quadrant == "all" else frame.filter(quadrant=quadrant))
        single = here.filter(~pl.col("skill").is_in(["a habit", "a dithering", "not planted"]))
        assert single["point"].sum() == pytest.approx(1.0)


def test_a_planted_skill_that_never_fails_is_listed_with_none() -> None:
    assert one(found(made()), "all", "chop")["snapshots"] == 0


def test_already_right_is_told_from_wrong() -> None:
    frame = made().with_columns(logp=pl.Series([[math.log(p) for p in (0.1, 0.1, 0.7, 0.1)]] * len(made())))
    assert one(found(frame), "all", "go")["already_right"] == 1.0


def test_dead_ends_have_no_skill_and_expert_episodes_do_not_count() -> None:
    frame = made({**ACTIONS, "Q3": None})
    assert one(found(frame), "Q3", DEAD_END)["p_right"] is None
    doubled = pl.concat([frame, frame.with_columns(source=pl.lit("expert"))])
    assert found(doubled).equals(found(frame))
    none = found(frame.with_columns(source=pl.lit("expert")))
    assert none["snapshots"].sum() == 0
    assert none["point"].is_null().all()


def test_the_report_says_that_what_was_planted_was_found() -> None:
    first, habit, dither = sentences(found(made()))
    assert "oven (habit, done rightly in 3% of needs)" in first
    assert "1.00 [1.00, 1.00] of Q4" in habit
    assert "Q4 minus the rest +1.00 [1.00, 1.00], so the labels found them there" in habit
    assert "1.00 [1.00, 1.00] of Q1, 1.00 [1.00, 1.00] of Q2" in dither
    assert "Q1 and Q2 minus the rest +1.00" in dither


def test_the_report_says_that_what_was_planted_was_not_found() -> None:
    everywhere = made(dict.fromkeys(ACTIONS, "cook potato with oven"))
    _, habit, dither = sentences(found(everywhere))
    assert "Q4 minus the rest 0.00 [0.00, 0.00], so the labels did not find them there" in habit
    assert "No failure snapshot lacks a skill planted as a dithering" in dither


def test_skills_dealt_without_regard_to_the_quadrant_are_rarely_called_found() -> None:
    frame = made()
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(40):
        action = [str(rng.choice(["cook potato with oven", "eat meal"])) for _ in range(len(frame))]
        dealt = frame.with_columns(
            pl.Series("expert_action", action),
            pl.Series("commands", [["look", "wait", right, "stay"] for right in action]),
        )
        alarms += "found them there" in sentences(found(dealt))[1]
    assert alarms <= 5


def test_where_nothing_was_planted_kinds_still_show_and_the_report_says_so() -> None:
    table = found(made(), {})
    assert table["planted"].null_count() == len(table)
    assert set(table["skill"]) == {"go", "eat", "oven"}
    assert sentences(table) == [sentences(table)[0]]
    assert "Nothing was planted" in sentences(table)[0]


def test_an_empty_quadrant_is_an_empty_row_and_no_error() -> None:
    table = found(made({**ACTIONS, "Q3": "cook potato with oven"}).filter(pl.col("quadrant") != "Q4"))
    assert one(table, "Q4", "go")["point"] is None
    assert "there is no snapshot in Q4" in sentences(table)[1]
    assert "Q4" not in set(h1_4.make({"skills": table})["quadrant"])


def test_the_table_has_a_row_for_what_is_there_and_the_base_rate_beside_it() -> None:
    rows = h1_4.make({"skills": found(made())})
    assert set(h1_4.HEADINGS) <= set(rows.columns)
    assert rows["snapshots"].min() > 0
    line = rows.row(by_predicate=(pl.col("quadrant") == "Q4") & (pl.col("skill") == "oven"), named=True)
    assert line["share"] == 1.0
    assert 0 < line["base"] < 1
