"""Runs that lack something: a quadrant, a panel, every win. Each item says what it lacks; nothing stops."""

from __future__ import annotations

import copy
import json

import polars as pl
import pytest
from configured import section
from evaluation.frames import failure_panel

from teachable import tables, terms
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.evaluation import summary
from teachable.evaluation.drift_metrics import drift_metrics
from teachable.evaluation.resampling import Resampling
from teachable.labels.label import label
from teachable.labels.metrics import label_metrics
from teachable.labels.skills import skills
from teachable.paper import FIGURES, TABLES, render, typeset
from teachable.paper.criteria import criteria, explain
from teachable.paper.inputs import Interval
from teachable.paper.limits import limits
from teachable.training.correlation import cpt_correlation
from teachable.training.gaps import Gap
from teachable.worlds.textworld.words import WORDS

MODELS = ["base", *(run.name for run in (*terms.matrix(), *terms.controls())), "recovery"]
NOTHING = {"point": None, "low": None, "high": None, "n": 0, "clusters": 0}


def without_panel(data: dict, panel: str) -> dict:
    """No model played ``panel``: the base student won no task for it."""
    names = ("metrics", "contrasts", "checkpoints", "selection_metrics", "selection_contrasts")
    return {**data, **{name: data[name].filter(pl.col("panel") != panel) for name in names}}


def without_q4(data: dict) -> dict:
    lab = data["labeled"].filter((pl.col("quadrant") != "Q4").fill_null(True))
    stored, training = copy.deepcopy(data["cpt_correlation"]), copy.deepcopy(data["training_summary"])
    for part in ("per_quadrant", "utility"):
        kinds = stored[part]["Q4"]
        stored[part]["Q4"] = dict.fromkeys(kinds, NOTHING) if part == "per_quadrant" else NOTHING
    thresholds = copy.deepcopy(data["thresholds"])
    thresholds["counts"]["Q4"] = 0
    for run in ("Q4_demo", "Q4_contrast", "Q4_hint"):
        training["runs"][run] = {"absent": "no snapshot of Q4 to learn from", "quadrant": "Q4", "format": run[3:]}
    trained = [model for model in MODELS if not model.startswith("Q4")]
    episodes, labels = failure_panel(trained, 8, lambda m, q, g: m.startswith(q) or g % 3 == 0)
    played = summary.summarise(
        episodes.filter(~pl.col("snapshot_id").str.ends_with("Q4")), labels, Resampling(repetitions=100), seed=1
    )
    others = data["contrasts"].filter((pl.col("panel") != "failure") & ~pl.col("model").str.starts_with("Q4"))
    return {
        **data,
        "labeled": lab,
        "label_metrics": label_metrics(lab, seed=1, repetitions=60),
        "thresholds": thresholds,
        "cpt_correlation": stored,
        "training_summary": training,
        "transfer": played.transfer,
        "contrasts": pl.concat([others, played.contrasts]),
        "budget": data["budget"].filter(pl.col("quadrant") != "Q4"),
        "microtraining": data["microtraining"].filter(pl.col("quadrant") != "Q4"),
        **{name: data[name].filter(~pl.col("model").str.starts_with("Q4")) for name in ("metrics", "mechanistic")},
    }


def no_win(data: dict) -> dict:
    """Nobody wins anything: every contrast is 0 without variation, and nothing can be retained."""
    episodes, labels = failure_panel(MODELS, 6, lambda m, q, g: False)
    played = summary.summarise(episodes, labels, Resampling(repetitions=100), seed=1)
    made = without_panel(data, "retention")
    return {
        **made,
        "transfer": played.transfer,
        "contrasts": played.contrasts,
        "metrics": pl.concat([made["metrics"].filter(panel="test"), played.metrics]),
        "checkpoints": tables.empty(tables.METRICS),
    }


def no_failure(data: dict) -> dict:
    """The student wins everything: there is no snapshot, so no label, no run and no predictor."""
    none, thresholds = label(
        tables.empty(tables.SNAPSHOTS), tables.empty(tables.ADVICE), tables.empty(tables.ESTIMATES), section("labels")
    )
    gone = {"absent": "none of the training snapshots belongs to this run"}
    schemas = {name: getattr(tables, ARTIFACTS[name].schema) for name in data if ARTIFACTS[name].kind == "table"}
    empty = {name: tables.empty(schema) for name, schema in schemas.items()}
    played = (pl.col("model") == "base") & pl.col("panel").is_in(["test", "retention"])
    return {
        **data,
        **empty,
        "thresholds": thresholds,
        "label_metrics": label_metrics(none, seed=1, repetitions=60),
        "skills": skills(none, {"take": Gap(0.1, "dither")}, WORDS.skill_of, seed=1, repetitions=60),
        "cpt_correlation": cpt_correlation(empty["microtraining"], none, section("statistics", repetitions=60), seed=1),
        "training_summary": {"runs": {run.name: gone for run in terms.matrix()}},
        "metrics": data["metrics"].filter(played),
    }


def no_rank(data: dict) -> dict:
    """Too few snapshots are measured twice to rank them."""
    return {**data, "drift_metrics": data["drift_metrics"].filter(pl.col("metric") != "spearman_base")}


CASES = {
    "no failure": no_failure,
    "no retention": lambda data: without_panel(data, "retention"),
    "no failures": lambda data: without_panel(data, "failure"),
    "no Q4": without_q4,
    "no win": no_win,
    "no rank": no_rank,
}


@pytest.fixture(scope="module", params=list(CASES))
def lacking(request, data) -> tuple[str, dict]:
    made = CASES[request.param](data)
    return request.param, {**made, "criteria": criteria(made)}


def test_every_figure_is_drawn_or_says_why_not(lacking) -> None:
    _, made = lacking
    for name, item in FIGURES.items():
        figure = render.draw(name, {i: made[i] for i in item.inputs})
        render.figure_bytes(figure, dpi=20, formats=("png",))


def test_every_table_is_made(lacking) -> None:
    _, made = lacking
    for name, item in TABLES.items():
        frame = typeset.make(name, {"words": WORDS, **{i: made[i] for i in item.inputs}})
        typeset.paper(frame, typeset.headings(name), caption="c", label="l")


def test_every_criterion_is_judged_or_has_its_reason(lacking) -> None:
    name, made = lacking
    json.dumps(made["criteria"], allow_nan=False)
    entries = {entry["id"]: entry for entry in made["criteria"]}
    for entry in entries.values():
        if entry["passed"] is None:
            assert entry["advice"].startswith("Not measurable: "), entry
    if name in ("no retention", "no win"):
        assert entries["retention"]["passed"] is None
        assert "retention panel is empty" in entries["retention"]["advice"]
    if name == "no Q4":
        assert entries["transfer"]["passed"] is None
        assert "Q4" in entries["transfer"]["advice"]
        assert entries["training_gain"]["passed"] is False
    if name == "no win":
        assert entries["training_gain"]["passed"] is False, "0 without variation is no effect"


def rollouts(won: int, played: int) -> pl.DataFrame:
    rows = [
        {**dict.fromkeys(tables.EPISODES), "behaviour": "student", "success": i < won, "train_seed": None}
        for i in range(played)
    ]
    return pl.DataFrame(rows, schema=dict(tables.EPISODES))


@pytest.mark.parametrize(
    ("won", "said"),
    [(0, "won none of its 200"), (3, "won only 3"), (100, None), (197, "lost only 3"), (200, "won all of its 200")],
)
def test_a_weak_or_strong_student_is_told_what_to_change(won: int, said: str | None) -> None:
    found = limits(rollouts(won, 200), {"counts": dict.fromkeys(("Q1", "Q2", "Q3", "Q4"), 5)}, {"runs": {}}, [])
    if said is None:
        assert found == []
        return
    (sentence,) = found
    assert said in sentence
    assert "To change it" in sentence


def test_labels_that_noise_decides_are_said_to_be() -> None:
    counts = {"counts": dict.fromkeys(("Q1", "Q2", "Q3", "Q4"), 5)}
    noisy = {**counts, "noisy": True, "L_local": {"within_two_errors_of_cut": 0.62}}
    (said,) = limits(rollouts(100, 200), noisy, {"runs": {}}, [])
    assert "62% of the labelled snapshots lie within two standard errors" in said
    assert limits(rollouts(100, 200), {**noisy, "noisy": False}, {"runs": {}}, []) == []


def test_what_is_absent_is_named_once_a_reason() -> None:
    gone = {"absent": "no snapshot of Q4 to learn from."}
    found = limits(
        rollouts(100, 200),
        {"counts": {"Q1": 3, "Q2": 3, "Q3": 1}},
        {"runs": {"Q4_demo": gone, "Q4_hint": gone, "Q1_demo": {"examples": 3}}},
        [{"id": "transfer", "passed": None}, {"id": "restore", "passed": True}],
    )
    assert "No snapshot is in Q4" in found[0]
    assert found[1] == "Not trained: Q4_demo, Q4_hint (no snapshot of Q4 to learn from)."
    assert found[2].endswith(": transfer.")


@pytest.mark.parametrize(("trainings", "said"), [(1, True), (3, False)])
def test_a_study_of_one_training_a_run_says_what_its_intervals_leave_out(trainings: int, said: bool) -> None:
    seeds = {str(seed): {} for seed in range(1, trainings + 1)}
    counts = {"counts": dict.fromkeys(("Q1", "Q2", "Q3", "Q4"), 5)}
    found = limits(rollouts(100, 200), counts, {"runs": {"Q1_demo": {"seeds": seeds}}}, [])
    assert any("trained once" in sentence for sentence in found) == said


@pytest.mark.parametrize(
    ("point", "low", "high", "said"),
    [
        (0.05, -0.05, 0.15, "No effect was seen (0.05 [\N{MINUS SIGN}0.05, 0.15]); one of 0.14 or more would"),
        (-0.2, -0.3, -0.1, "The opposite was seen"),
        (0.05, 0.01, 0.09, "less than is asked for"),
        (0.3, float("nan"), float("nan"), "too few games"),
    ],
)
def test_a_fail_says_what_the_study_could_have_seen(point: float, low: float, high: float, said: str) -> None:
    assert said in explain(Interval(point, low, high, 80, 40), 0.0)


def test_a_stored_detectable_effect_goes_before_the_width() -> None:
    stored = Interval.of({"point": 0.0, "low": -0.1, "high": 0.1, "n": 1, "clusters": 1, "mde": 0.3})
    assert stored.detectable == 0.3


def test_noise_that_points_the_right_way_does_not_pass(data) -> None:
    """Every criterion of an effect, with a point far beyond its threshold and an interval that holds the null."""
    wide = {"low": -0.9, "high": 0.99}

    def widen(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(point=pl.lit(0.95), **{k: pl.lit(v) for k, v in wide.items()})

    stored = copy.deepcopy(data["cpt_correlation"])
    for part in (stored["overall"], *stored["per_quadrant"].values()):
        for value in part.values():
            value |= {"point": 0.95, **wide}
    for key in ("utility_Q1_minus_Q2", "median_net_gain_debiased"):
        stored[key] |= {"point": 0.95, **wide}
    noisy = {name: widen(data[name]) for name in ("contrasts", "predictor_metrics", "label_metrics")}
    entries = criteria({**data, **noisy, "cpt_correlation": stored})
    judged = [e for e in entries if e["hypothesis"] in ("H2", "H3", "H4", "H5", "H6")]
    passed = {e["id"] for e in judged if e["passed"]} - {"transfer_permutation", "random_answers", "validation_placebo"}
    assert passed == set()
    assert all(e["mde"] is not None for e in judged if e["low"] is not None)


def test_nothing_drifts_where_nothing_was_trained(data) -> None:
    assert drift_metrics(tables.empty(tables.DRIFT), data["labeled"], seed=1).is_empty()
