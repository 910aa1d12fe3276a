"""What the benchmarks count and compute, and that the page on the engine says what their committed rows say."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import engine_page  # noqa: E402
import paper_hours  # noqa: E402
import side_by_side  # noqa: E402
from counting import counted, fewest  # noqa: E402
from gpu_check import QWEN3_8B, TOY, make_student, situations  # noqa: E402
from labelling import Work  # noqa: E402
from side_by_side import Took  # noqa: E402

NAMES = {
    "estimator_rmse_vs_monte_carlo", "growth", "labelling_vs_lm_eval", "labelling_vs_naive", "lora_sft_vs_trl",
    "tokens",
}  # fmt: skip
ROWS = {row["name"]: row for row in engine_page.rows()}


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), max_size=12))
def test_the_fewest_tokens_are_the_different_beginnings(sequences: list[list[int]]) -> None:
    assert fewest(sequences) == len({tuple(one[: at + 1]) for one in sequences for at in range(len(one))})


def test_sides_take_turns_and_begin_in_turn() -> None:
    order: list[str] = []

    def side(name: str) -> Any:
        return lambda: order.append(name) or Took(1.0, 1.0)

    found = side_by_side.take_turns({name: side(name) for name in "abc"}, rounds=2)
    assert order == list("cab" + "abc" + "bca")
    assert {len(took) for took in found.values()} == {2}, "the round to warm up does not count"


def test_a_ratio_is_the_median_of_the_rounds_and_a_slow_round_does_not_move_it() -> None:
    ours = [Took(1.0, 2.0), Took(10.0, 20.0), Took(1.0, 2.0)]
    peer = [Took(4.0, 4.0), Took(40.0, 40.0), Took(6.0, 6.0)]
    found = side_by_side.compared(ours, peer, scale=10.0)
    assert found["ratio"] == 40.0
    assert found["spread"] == [40.0, 60.0]
    assert found["peer"] == 60.0
    assert found["ratio_wall"] == 20.0


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_row_says_what_was_measured_where_and_when(name: str) -> None:
    row = ROWS[name]
    assert row["machine"]
    assert row["what"]
    assert len(row["date"]) == len("2026-11-30")
    for one in (row, *row["cases"]):
        low, high = one["spread"]
        assert low <= one["ratio"] * 1.001
        assert one["ratio"] <= high * 1.001
    assert row["ratio"] == pytest.approx(row["cases"][0]["ratio"])


@pytest.mark.parametrize("name", ["labelling_vs_lm_eval", "labelling_vs_naive", "lora_sft_vs_trl"])
def test_peers_gave_the_same_answers(name: str) -> None:
    assert all(case["largest_difference_nats"] < 1e-4 for case in ROWS[name]["cases"])


def test_the_page_and_its_figures_are_what_the_rows_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert engine_page.main(["--check"]) == 0, capsys.readouterr().out


def test_the_page_is_checked_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in engine_page.RESULTS.glob("*.json"):
        row = json.loads(path.read_text())
        if row["name"] == "growth":
            row["cases"][0]["ratio"] += 1
        (tmp_path / path.name).write_text(json.dumps(row))
    assert engine_page.made(tmp_path)[engine_page.PAGE] != engine_page.PAGE.read_text(encoding="utf-8")


def test_labelling_is_answered_alike_and_from_memory() -> None:
    import torch

    student = make_student(TOY, torch.device("cpu"))
    wave = [(student.prompt(one), one.commands) for one in situations(3, 1)]
    work = Work(student, Path(), [wave, wave], 2)
    assert (work.asked, work.distinct, len(work.sample)) == (6, 3, 3)
    with counted(student.model) as twice:
        work.ours()
    single = Work(student, Path(), [wave], 1)
    with counted(student.model) as once:
        single.ours()
    assert twice.tokens == once.tokens, "the second wave was remembered"
    work.naive()
    pairs = zip(work.answers["ours"], work.answers["naive"], strict=True)
    assert max(float(np.abs(a - b).max()) for a, b in pairs) < 1e-4
    assert student.method == "radix"


ASKED = paper_hours.Asked(prompt=500, commands=10, command=4, nodes=30, distinct=0.5, fresh=0.25)


def test_each_saving_encodes_fewer_tokens() -> None:
    encoded = [paper_hours.tokens(way, ASKED)[0] for way in paper_hours.WAYS]
    assert encoded == [5040, 530, 265, 66.25]
    work = paper_hours.Work(decisions=1e6, trained=1e4)
    ways = paper_hours.hours(work, 10, ASKED, paper_hours.shape(QWEN3_8B), 989e12)
    assert all(before["gpu_hours"] > after["gpu_hours"] for before, after in pairwise(ways))


def test_the_shape_of_qwen3_8b_has_its_weights() -> None:
    found = paper_hours.shape(QWEN3_8B)
    assert found.layers + 2 * found.output == pytest.approx(8.19e9, rel=0.002)  # embedding and output layer are two


def test_a_share_of_the_peak_that_doubles_halves_what_scoring_takes() -> None:
    work = paper_hours.Work(decisions=1e6)
    model = paper_hours.shape(QWEN3_8B)
    slow, fast = (paper_hours.hours(work, 0, ASKED, model, peak)[1]["gpu_hours"] for peak in (1e15, 2e15))
    assert float(slow) == pytest.approx(2 * float(fast))
