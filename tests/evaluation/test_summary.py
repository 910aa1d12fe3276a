"""Success, stuckness, paired contrasts, transfer and the choice of format, against answers worked out by hand."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import polars as pl
import pytest

from teachable import tables, terms
from teachable.evaluation import contrasts, summary
from teachable.evaluation.errors import EvaluationError
from teachable.evaluation.outcomes import check_held_out, line_up
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.transfer import BEST_FORMAT, DIAGONAL, PERMUTED

from .frames import episode, failure_panel, frame, labels

SETTINGS = Resampling(repetitions=400)
CONTROLS = [run.name for run in terms.controls()]
ALL_MODELS = ["base", *(run.name for run in terms.matrix())]
NOTHING = labels({})


def pick(table: pl.DataFrame, **where: Any) -> dict[str, Any]:
    found = table.filter(*(pl.col(k) == v for k, v in where.items()))
    assert found.height == 1, found
    return found.row(0, named=True)


def test_metrics_by_hand() -> None:
    rows = [
        episode("base", "t0", True, steps=4, repeats=1, loops=0, wasted=2, escape=3),
        episode("base", "t0", False, repeat=1, steps=16, repeats=5, loops=4, wasted=2, escape=5),
        episode("base", "t1", True, steps=5),
        episode("base", "t1", None, repeat=1, steps=3, repeats=3, wasted=3),  # a fault is no failure
        episode("expert", "t0", True, behaviour="expert", steps=3),
    ]
    got = summary.metrics_of(frame(rows), NOTHING, SETTINGS, seed=1)
    assert set(got["model"]) == {"base"}, "the expert is a reference, not a model"
    by = {row["metric"]: row for row in got.filter(pl.col("group") == "all").iter_rows(named=True)}
    assert by["success"]["point"] == pytest.approx(2 / 3)
    assert (by["success"]["n"], by["success"]["clusters"]) == (3, 2)
    assert by["repeat_rate"]["point"] == pytest.approx(6 / 25)
    assert by["loop_rate"]["point"] == pytest.approx(4 / 25)
    assert by["wasted_rate"]["point"] == pytest.approx(4 / 25)
    assert by["escape_latency"]["point"] == pytest.approx(8 / 3)
    # t0: the expert needs 3 of 4 steps; t1: nobody did better than 5 of 5
    assert by["efficiency"]["point"] == pytest.approx((3 / 4 + 0 + 1) / 3)


def test_independent_success_rate_has_wilson_s_interval() -> None:
    rows = [episode("base", f"t{i}", i < 3) for i in range(10)]
    row = pick(
        summary.metrics_of(frame(rows), NOTHING, SETTINGS, seed=1),
        metric="success",
        group="all",
        panel="test",
    )
    assert row["method"] == "wilson_95"
    assert row["low"] == pytest.approx(0.1078, abs=1e-4)
    assert row["high"] == pytest.approx(0.6032, abs=1e-4)


def test_contrasts_are_paired_by_start_and_repeat() -> None:
    # the tuned model wins exactly where base loses, so that pairs matter; one of its episodes has a fault
    rows = [episode("base", f"t{i}", i % 2 == 0, repeat=r) for i in range(6) for r in range(2)]
    rows += [episode("recovery", f"t{i}", i != 5, repeat=r) for i in range(6) for r in range(2)]
    rows[-1]["success"] = None
    got = summary.summarise(frame(rows), NOTHING, SETTINGS, seed=1)
    row = pick(got.contrasts, contrast="recovery-vs-base", metric="success", group="all")
    assert row["point"] == pytest.approx((10 - 6) / 11)
    assert (row["n"], row["clusters"]) == (11, 6)
    assert row["hypothesis"] == "H5"
    assert not row["prespecified"], "prespecified on the failure panel, not on test"
    assert got.transfer.is_empty()


def test_different_seeds_are_refused() -> None:
    rows = [episode("base", "t0", True), episode("recovery", "t0", True, seed=99)]
    with pytest.raises(EvaluationError, match="different seeds"):
        summary.summarise(frame(rows), NOTHING, SETTINGS, seed=1)


def test_doubled_missing_and_unlabelled_are_refused() -> None:
    one = [episode("base", "t0", True)]
    with pytest.raises(EvaluationError, match="more than once"):
        summary.summarise(frame(one * 2), NOTHING, SETTINGS, seed=1)
    with pytest.raises(EvaluationError, match="base student"):
        summary.summarise(frame([episode("recovery", "t0", True)]), NOTHING, SETTINGS, seed=1)
    with pytest.raises(EvaluationError, match="no quadrant"):
        line_up(frame([episode("base", "t0", True, snapshot="t0/s")]), "failure", {})


def test_a_game_of_training_is_never_evaluated() -> None:
    episodes = frame([episode("base", "t0", True)])
    check_held_out(episodes, {"t1"})
    with pytest.raises(EvaluationError, match="t0"):
        check_held_out(episodes, {"t0"})


@pytest.mark.parametrize("quadrant", terms.QUADRANTS)
def test_quadrants_are_not_swapped(quadrant: str) -> None:
    """Runs of one quadrant win its snapshots alone: one row of the matrix, and only its diagonal entry, is 1."""
    names = [f"{quadrant}_{f}" for f in terms.FORMATS]
    episodes, labeled = failure_panel(ALL_MODELS, 4, lambda m, q, g: m in names and q == quadrant)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    for row in got.transfer.iter_rows(named=True):
        expected = 1.0 if row["trained_on"] == row["evaluated_on"] == quadrant else 0.0
        assert row["point"] == expected, row
    gain = pick(got.contrasts, contrast=f"{names[1]}-vs-base", group=quadrant, panel="failure", metric="success")
    assert gain["point"] == 1.0
    assert gain["hypothesis"] == "H3"


def test_transfer_by_hand() -> None:
    """Demonstrations help the own quadrant in every game and the others in every second; hints do nothing."""

    def wins(model: str, quadrant: str, game: int) -> bool:
        if model.endswith("_demo"):
            return model.startswith(quadrant) or game % 2 == 0
        return model.endswith("_contrast") and model.startswith(quadrant) and game % 4 == 0

    episodes, labeled = failure_panel(ALL_MODELS, 8, wins)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    where = {"trained_on": "Q2", "evaluated_on": "Q4"}
    assert pick(got.transfer, format="demo", **where)["point"] == 0.5
    assert pick(got.transfer, format="mean", **where)["point"] == pytest.approx(0.5 / 3)
    own = {"trained_on": "Q2", "evaluated_on": "Q2"}
    assert pick(got.transfer, format="mean", **own)["point"] == pytest.approx((1 + 0.25 + 0) / 3)
    assert got.transfer.height == 64
    main = pick(got.contrasts, contrast=DIAGONAL)
    assert main["point"] == pytest.approx((1 + 0.25) / 3 - 0.5 / 3)
    assert main["prespecified"]
    assert main["hypothesis"] == "H4"
    assert main["low"] <= main["point"] <= main["high"]
    assert 0 < main["p_value"] < 0.05
    assert pick(got.contrasts, contrast=f"{DIAGONAL}_demo")["point"] == 0.5
    assert pick(got.contrasts, contrast=f"{DIAGONAL}_hint")["p_value"] == 1.0


def test_best_format_is_chosen_on_other_games() -> None:
    """A format that truly wins is found; formats that differ by chance only do not look better than demo."""

    def better(model: str, quadrant: str, game: int) -> bool:
        return model == "Q3_contrast" or (model.endswith("demo") and game % 2 == 0)

    episodes, labeled = failure_panel(ALL_MODELS, 12, better)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1).contrasts
    assert pick(got, contrast=BEST_FORMAT, group="Q3")["point"] == 0.5
    assert pick(got, contrast=BEST_FORMAT, group="Q1")["point"] == 0.0
    overall = pick(got, contrast=BEST_FORMAT, group="all")
    assert overall["point"] == pytest.approx(0.125)
    assert overall["prespecified"]
    points = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        episodes, labeled = failure_panel(ALL_MODELS, 10, lambda m, q, g, rng=rng: bool(rng.random() < 0.5))
        panel = line_up(episodes, "failure", summary.quadrants_of(labeled))
        assert panel is not None
        rows = summary.best_format(panel, Resampling(repetitions=10), seed=seed)
        points.append(next(row["point"] for row in rows if row["group"] == "all"))
    assert abs(float(np.mean(points))) < 3 * float(np.std(points)) / math.sqrt(len(points))


def test_effectiveness_is_against_replay_alone_on_the_quadrant_of_the_run() -> None:
    def better(model: str, quadrant: str, game: int) -> bool:
        if model == terms.REPLAY_ONLY:
            return game == 0  # one game in four
        return model == f"{quadrant}_demo" or (model == "Q2_hint" and game < 2)

    episodes, labeled = failure_panel([*ALL_MODELS, *CONTROLS], 4, better)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    gain = {(row["model"], row["group"]): row["point"] for row in got.effectiveness.iter_rows(named=True)}
    assert len(gain) == len(terms.FORMATS) * 5
    assert all(gain["demo", group] == pytest.approx(0.75) for group in ("all", *terms.QUADRANTS))
    assert gain["hint", "Q2"] == pytest.approx(0.25)
    assert gain["hint", "all"] == pytest.approx((0.25 - 3 * 0.25) / 4)
    same = pick(got.contrasts, contrast="Q2_hint-vs-C_replay", group="Q2", panel="failure")
    assert same["point"] == pytest.approx(gain["hint", "Q2"])
    assert (got.effectiveness["p_holm"] >= got.effectiveness["p_value"]).all()
    without, labeled = failure_panel(ALL_MODELS, 4, better)
    missing = summary.summarise(without, labeled, SETTINGS, seed=1).effectiveness
    assert missing["point"].null_count() == missing.height == len(gain)
    assert missing["method"].str.contains("C_replay was not trained").all()


def test_a_run_that_is_absent_is_named_and_stops_nothing_else() -> None:
    """Q4 has no example, so its three runs were never trained: all of its rows are null, with the reason."""
    trained = [name for name in ALL_MODELS if not name.startswith("Q4")]
    episodes, labeled = failure_panel(trained, 6, lambda m, q, g: m.startswith(q) or g == 0)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    assert got.transfer.height == 64
    gone = got.transfer.filter(pl.col("trained_on") == "Q4")
    assert gone["point"].null_count() == gone.height == 16
    assert gone["method"].str.contains("Q4_.* was not trained").all()
    assert got.transfer.filter(pl.col("trained_on") != "Q4")["point"].null_count() == 0
    main = pick(got.contrasts, contrast=DIAGONAL)
    assert main["point"] is None
    assert main["prespecified"]
    assert "Q4" in main["method"]
    assert pick(got.contrasts, contrast=f"{DIAGONAL}_of_Q1_Q2_Q3")["point"] == pytest.approx(5 / 6)
    assert pick(got.contrasts, contrast=PERMUTED)["model"] == "diagonal_of_Q1_Q2_Q3"
    assert pick(got.contrasts, contrast=BEST_FORMAT, group="Q1")["point"] is not None
    assert pick(got.contrasts, contrast=BEST_FORMAT, group="all")["point"] is None
    assert pick(got.contrasts, contrast="gain_Q1_minus_Q3_own")["point"] is not None


def test_a_quadrant_without_held_out_snapshots() -> None:
    episodes, labeled = failure_panel(ALL_MODELS, 6, lambda m, q, g: m.startswith(q))
    episodes = episodes.filter(~pl.col("snapshot_id").str.ends_with("Q3"))
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    row = pick(got.transfer, trained_on="Q1", evaluated_on="Q3", format="mean")
    assert row["point"] is None
    assert row["method"] == "undefined: the failure panel has no snapshot in Q3"
    assert pick(got.transfer, trained_on="Q3", evaluated_on="Q1", format="mean")["point"] == 0.0
    assert "Q3" in pick(got.contrasts, contrast="gain_Q1_minus_Q3_B1_uniform")["method"]
    assert pick(got.contrasts, contrast="B1_uniform-vs-base", group="all", metric="success")["point"] == 0.0


@pytest.mark.parametrize("won", [False, True])
def test_a_student_that_wins_nothing_or_everything(won: bool) -> None:
    episodes, labeled = failure_panel([*ALL_MODELS, "C_replay"], 5, lambda m, q, g: won)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    assert got.contrasts.filter(pl.col("metric") == "success")["point"].drop_nulls().unique().to_list() == [0.0]
    assert pick(got.contrasts, contrast=DIAGONAL)["p_value"] == 1.0
    assert pick(got.contrasts, contrast=PERMUTED)["p_value"] == 1.0


def test_one_cell_alone_and_one_snapshot() -> None:
    episodes, labeled = failure_panel(["base", "Q1_demo"], 3, lambda m, q, g: True)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    assert pick(got.transfer, trained_on="Q1", evaluated_on="Q2", format="demo")["point"] == 0.0
    assert got.transfer.filter(format="mean")["point"].null_count() == 16
    got = summary.summarise(episodes.filter(pl.col("snapshot_id") == "g00/Q1"), labeled, SETTINGS, seed=1)
    assert pick(got.contrasts, contrast="Q1_demo-vs-base", group="all", metric="success")["low"] is None


def test_holm_is_within_a_hypothesis_and_spares_the_prespecified() -> None:
    models = ["base", "S_random_k8", "S_entropy_k8", "S_predictor_k8"]
    episodes, labeled = failure_panel(models, 9, lambda m, q, g: m == "S_predictor_k8" and g < 7)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1).contrasts
    chosen = got.filter(pl.col("prespecified"))
    assert chosen["contrast"].to_list() == ["S_predictor_k8-vs-S_entropy_k8"]
    assert chosen["p_holm"].to_list() == chosen["p_value"].to_list()
    rest = got.filter(~pl.col("prespecified"))
    assert (rest["p_holm"] >= rest["p_value"]).all()
    assert set(got["hypothesis"]) == {"H7"}
    assert (got["mde"].drop_nulls() >= 0).all()


def test_comparisons_are_named_once_and_one_key_a_hypothesis() -> None:
    models = [*ALL_MODELS, *CONTROLS, "recovery", "S_random_k8", "S_entropy_k8", "S_predictor_k8", "S_oracle_k8"]
    plan = contrasts.comparisons(models)
    pairs = [frozenset((one.model, one.reference)) for one in plan]
    assert len(set(pairs)) == len(pairs)
    keys = [one.hypothesis for one in plan if one.prespecified]
    assert sorted(keys) == ["H5", "H7"], "H3 and H4 have theirs in transfer"
    assert next(one.name for one in plan if one.prespecified) == "B1_uniform-vs-C_replay"
    names = {one.name for one in plan}
    headlines = {"Q1_demo-vs-C_replay", "C_random-vs-C_replay", "recovery-vs-C_replay", "B2_all-vs-C_replay"}
    assert headlines | {"C_replay-vs-base"} <= names
    assert {"Q4_hint-vs-base", "Q2_demo-vs-B1_uniform", "Q1_hint-vs-Q1_demo", "recovery-vs-base"} <= names
    assert {"S_oracle_k8-vs-S_random_k8", "S_predictor_k8-vs-S_entropy_k8"} <= names


def test_a_preference_run_is_compared_with_its_cell_and_changes_no_other_number() -> None:
    """Its contrasts have a hypothesis of their own, so that Holm's correction of the others does not see them."""
    models = ["base", *CONTROLS, "B1_uniform", "Q4_demo", "Q4_contrast"]
    rng = np.random.default_rng(0)
    episodes, labeled = failure_panel([*models, "Q4_dpo"], 8, lambda m, q, g: bool(rng.random() < 0.5))
    whole = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    without = summary.summarise(episodes.filter(pl.col("model") != "Q4_dpo"), labeled, SETTINGS, seed=1)
    own = whole.contrasts.filter(pl.col("model") == "Q4_dpo")
    assert set(own["contrast"]) == {"Q4_dpo-vs-base", "Q4_dpo-vs-C_replay", "Q4_dpo-vs-Q4_contrast"}
    assert set(own["hypothesis"]) == {contrasts.DPO}
    assert not own["prespecified"].any()
    assert contrasts.DPO in contrasts.HYPOTHESES
    assert whole.contrasts.filter(pl.col("model") != "Q4_dpo").equals(without.contrasts)
    assert whole.metrics.filter(pl.col("model") != "Q4_dpo").equals(without.metrics)
    assert whole.transfer.equals(without.transfer)


def test_detectable_effects_go_with_the_intervals() -> None:
    """Both say how noisy a contrast is, one from draws of games and one in closed form.

    With many games an interval is 2 x 1.96 standard errors wide, and 1.96 + 0.84 of them are detectable.
    """
    rng = np.random.default_rng(5)
    episodes, labeled = failure_panel(ALL_MODELS, 60, lambda m, q, g: bool(rng.random() < 0.4))
    got = summary.summarise(episodes, labeled, Resampling(repetitions=2000), seed=1).contrasts
    for hypothesis in ("H3", "H4", "H5"):
        rows = got.filter((pl.col("hypothesis") == hypothesis) & (pl.col("metric") == "success")).drop_nulls("mde")
        assert rows.height, hypothesis
        share = (rows["mde"] / (rows["high"] - rows["low"])).to_numpy()
        assert share == pytest.approx((1.96 + 0.842) / (2 * 1.96), rel=0.1), hypothesis


def test_row_order_does_not_change_a_number() -> None:
    rng = np.random.default_rng(0)
    episodes, labeled = failure_panel(ALL_MODELS, 5, lambda m, q, g: bool(rng.random() < 0.4))
    one = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    two = summary.summarise(episodes.sample(fraction=1.0, shuffle=True, seed=3), labeled, SETTINGS, seed=1)
    assert one.metrics.equals(two.metrics)
    assert one.contrasts.equals(two.contrasts)
    assert one.transfer.equals(two.transfer)


def test_tables_have_their_schemas_and_nineteen_models_take_seconds() -> None:
    models = [*ALL_MODELS, "recovery", "S_random_k8", "S_entropy_k8", "S_predictor_k8"]
    rng = np.random.default_rng(0)
    episodes, labeled = failure_panel(models, 60, lambda m, q, g: bool(rng.random() < 0.4))
    test = [
        episode(m, f"t{i}", bool(rng.random() < 0.5), repeat=r) for m in models for i in range(60) for r in range(3)
    ]
    begun = time.perf_counter()
    got = summary.summarise(pl.concat([episodes, frame(test)]), labeled, Resampling(repetitions=2000), seed=1)
    assert time.perf_counter() - begun < 20
    tables.conform(got.metrics, tables.METRICS)
    tables.conform(got.contrasts, tables.CONTRASTS)
    tables.conform(got.transfer, tables.TRANSFER)


def test_end_to_end_alone_is_what_the_summary_says_of_test_games() -> None:
    rng = np.random.default_rng(3)
    failures, labeled = failure_panel(["base", "Q1_demo"], 6, lambda m, q, g: bool(rng.random() < 0.5))
    played = frame(
        [
            episode(m, f"t{i}", bool(rng.random() < 0.5), repeat=r, family=("easy", "medium")[i % 2], train_seed=s)
            for m in ("base", "Q1_demo")
            for i in range(12)
            for r in range(2)
            for s in (1, 2)
        ]
    )
    every = pl.concat([failures.with_columns(train_seed=pl.lit(1, pl.Int64)), played])
    alone = summary.end_to_end(every, SETTINGS, seed=7)
    whole = summary.summarise(every, labeled, SETTINGS, seed=7).metrics
    assert alone.equals(whole.filter(panel="test", metric="success"))
    assert alone.height == 2 * 3, "two models, over all and in two families"
    assert summary.end_to_end(failures, SETTINGS, seed=7).is_empty()


def test_no_run_could_be_trained() -> None:
    """The base alone: levels stand, contrasts are none, or of nulls with their reason."""
    episodes, labeled = failure_panel(["base"], 3, lambda m, q, g: g == 0)
    got = summary.summarise(episodes, labeled, SETTINGS, seed=1)
    assert pick(got.metrics, group="all", metric="success")["point"] == pytest.approx(1 / 3)
    assert got.contrasts["point"].null_count() == got.contrasts.height
    assert got.transfer.is_empty()
