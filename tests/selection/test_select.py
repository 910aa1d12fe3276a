"""Selection at a fixed budget: what each method takes, and what it refuses to take."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import polars as pl
import pytest
from predictor.synthetic import labeled

from teachable.predictor import PredictorError
from teachable.selection import METHODS
from teachable.selection.coverage import Coverage, greedy_coverage
from teachable.selection.expected_error import Surrogate, greedy_error_reduction
from teachable.selection.methods.diversity import greedy_centres
from teachable.selection.methods.eef_failures import rank
from teachable.selection.methods.influence import influence
from teachable.selection.pool import candidates
from teachable.selection.select import select
from teachable.tables import GRADIENTS, LABELED, SELECTION, conform


@pytest.fixture(scope="module")
def pool(frame):
    return frame.filter(pl.col("task_id") < "game-040")


def options(fitted, features):
    return {"predictions": fitted.predictions, "features": features, "gradients": gradients(features)}


def gradients(features) -> pl.DataFrame:
    """GRADIENTS of made-up directions, other ones for every snapshot."""
    vectors = np.random.default_rng(7).normal(0.1, 1.0, (len(features), 32))
    made = {
        "snapshot_id": features.snapshot_id.tolist(),
        "task_id": features.task_id.tolist(),
        "loss": [1.0] * len(features),
        "norm": np.linalg.norm(vectors, axis=1).tolist(),
        "vector": vectors.astype(np.float32).tolist(),
    }
    return conform(pl.DataFrame(made, schema=dict(GRADIENTS)), GRADIENTS)


def expert(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Expert snapshots with the given columns; each a state of its own."""
    base = labeled(games=len(rows), each=1).sort("snapshot_id")
    full = [old | {"source": "expert"} | new for old, new in zip(base.iter_rows(named=True), rows, strict=True)]
    return conform(pl.DataFrame(full, schema=dict(LABELED)), LABELED)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "eef_failures"])
def test_a_selection_is_a_set_of_k_in_a_fixed_order(method, pool, fitted, features):
    chosen = select(method, pool, 25, seed=4, **options(fitted, features))
    assert conform(chosen.frame, SELECTION).equals(chosen.frame)
    assert chosen.frame["snapshot_id"].n_unique() == 25
    assert chosen.frame["rank"].to_list() == list(range(1, 26))
    assert set(chosen.frame["snapshot_id"]) <= set(pool["snapshot_id"])
    assert chosen.shortfall == 0
    assert chosen.reason == ""
    shuffled = pool.sample(fraction=1.0, shuffle=True, seed=9)
    assert select(method, shuffled, 25, seed=4, **options(fitted, features)).frame.equals(chosen.frame)
    assert set(chosen.frame["format"]) == {"demo"}, "the same for all: what is compared is the choice"


@pytest.mark.parametrize("method", ["predictor", "predictor_diverse", "eef_error"])
def test_without_a_predictor_its_methods_choose_nothing_and_say_so(method, pool, fitted, features):
    none = select(method, pool, 5, seed=0, predictions=fitted.predictions.head(0), features=features)
    assert (len(none.frame), none.shortfall) == (0, 5)
    assert "too few snapshots are labelled" in none.reason


JUDGED = ["eef_error", "influence"]


@pytest.mark.parametrize("method", JUDGED)
def test_what_judges_never_judges_by_the_games_it_chooses_from(method, pool, fitted, features):
    one = pool.filter(task_id=pool["task_id"][0])
    none = select(method, one, 2, seed=0, **options(fitted, features))
    assert none.frame.is_empty()
    assert "one game" in none.reason


def test_oracle_entropy_and_predictor_take_their_best(pool, fitted, features):
    for method, column in (("oracle", "ELP_net"), ("entropy", "entropy")):
        chosen = select(method, pool, 10, seed=0).frame
        best = pool.top_k(10, by=column)["snapshot_id"].to_list()
        assert set(chosen["snapshot_id"]) == set(best)
        assert chosen["score"].is_sorted(descending=True)
    mean = {
        method: pool.join(select(method, pool, 30, seed=0, **options(fitted, features)).frame, on="snapshot_id")[
            "ELP_net"
        ].mean()
        for method in ("random", "predictor", "oracle", "eef_error")
    }
    assert mean["oracle"] > mean["predictor"] > mean["random"]
    assert mean["eef_error"] > mean["random"]


def test_random_depends_on_the_seed_only(pool):
    first = select("random", pool, 20, seed=1).frame
    assert first.equals(select("random", pool, 20, seed=1).frame)
    assert set(first["snapshot_id"]) != set(select("random", pool, 20, seed=2).frame["snapshot_id"])


def test_ties_do_not_follow_the_names_of_games(pool):
    flat = pool.with_columns(pl.lit(0.5).alias("ELP_net"))
    chosen = select("oracle", flat, 20, seed=1).frame["snapshot_id"].to_list()
    assert chosen != sorted(flat["snapshot_id"].to_list())[:20]


def test_the_shortfall_is_said(pool):
    chosen = select("entropy", pool.head(7), 10, seed=0)
    assert (len(chosen.frame), chosen.shortfall) == (7, 3)
    assert "7 distinct" in chosen.reason
    none = select("eef_failures", pool, 10, seed=0)
    assert (len(none.frame), none.shortfall) == (0, 10)
    assert "no expert snapshot" in none.reason


def test_invalid_advice_and_missing_routes_are_left_out(pool):
    bad = pool.head(3).with_columns(
        pl.Series("advice_valid", [False, True, True]), pl.Series("route", ["demo", None, "demo"], dtype=pl.String)
    )
    assert candidates(bad)["snapshot_id"].to_list() == bad["snapshot_id"].to_list()[2:]
    assert set(candidates(pool, source="student")["source"]) == {"student"}


def test_expert_failures_need_a_student_that_succeeds_after_them():
    frame = expert(
        [
            {"p_policy": 0.1, "p_force": 0.6, "episode_id": "a", "step": 2},  # the action itself helps
            {"p_policy": 0.5, "p_force": 0.1, "episode_id": "b", "step": 2},  # harmful
            {"p_policy": 0.0, "p_force": 0.0, "episode_id": "c", "step": 2},  # nothing succeeds
            {"p_policy": 0.1, "p_force": 0.1, "episode_id": "d", "step": 2},  # opens a good segment ...
            {"p_policy": 0.7, "p_force": 0.7, "episode_id": "d", "step": 4},  # ... that ends here
        ]
    )
    chosen = select("eef_failures", frame, 5, seed=0)
    names = frame["snapshot_id"].to_list()
    assert chosen.frame["snapshot_id"].to_list() == [names[0], names[3]]
    assert chosen.frame["score"].to_list() == pytest.approx([0.5, 0.3])
    assert chosen.shortfall == 3
    assert "success" in chosen.reason


def test_expert_failures_without_estimates_are_not_beneficial():
    frame = expert([{"p_policy": None, "p_force": None, "episode_id": "a", "step": 1}])
    _, eligible = rank(frame, frame)
    assert not eligible.any()


def by_definition(row: dict[str, object], episodes: list[dict[str, object]]) -> tuple[float, bool]:
    """Score and eligibility of one expert snapshot, by looking through all states that the expert's episodes gave."""
    later = [
        other
        for other in episodes
        if other["source"] == "expert" and other["episode_id"] == row["episode_id"] and other["step"] > row["step"]
    ]
    after = min(later, key=lambda other: other["step"], default={"p_policy": None, "step": None})
    before, forced, opened = row["p_policy"], row["p_force"], after["p_policy"]
    evidence = []
    if before is not None and forced is not None:
        evidence.append(forced - before)
    if before is not None and opened is not None:
        evidence.append((opened - before) / (after["step"] - row["step"]))
    best = max(evidence, default=-np.inf)
    return best, best > 0 and any(chance is not None and chance > 0 for chance in (forced, opened))


@pytest.mark.parametrize("seed", range(8))
def test_expert_failures_are_scored_as_defined_whatever_the_episodes(seed):
    """Random episodes: gaps between states, estimates that are missing, rows in no order, the student's own beside."""
    rng = np.random.default_rng(seed)
    chance = lambda: None if rng.random() < 0.2 else float(rng.choice([0.0, 0.1, 0.3, 0.6, 1.0]))  # noqa: E731
    rows = [
        {"episode_id": f"e{number}", "step": int(step), "p_policy": chance(), "p_force": chance()}
        for number in range(12)
        for step in rng.choice(10, size=rng.integers(1, 5), replace=False)
    ]
    rng.shuffle(rows)
    theirs = expert(rows)
    own = theirs.sample(15, seed=seed).with_columns(
        pl.col("step") + 1, source=pl.lit("student"), snapshot_id=pl.col("snapshot_id") + "-own", p_policy=pl.lit(1.0)
    )
    everything = pl.concat([own, theirs])
    pool = theirs.sample(25, seed=seed)
    score, eligible = rank(pool, everything)
    wanted = [by_definition(row, everything.to_dicts()) for row in pool.to_dicts()]
    assert score.tolist() == pytest.approx([value for value, _ in wanted])
    assert eligible.tolist() == [good for _, good in wanted]
    assert 2 < sum(eligible) < len(pool)
    found = [by_definition(row, everything.to_dicts()) for row in theirs.to_dicts()]
    whole = sorted((value for value, good in found if good), reverse=True)
    chosen = select("eef_failures", everything, 5, seed=seed).frame
    assert chosen["score"].to_list() == pytest.approx(whole[:5])


def surrogate(points: np.ndarray, where: np.ndarray, noise: np.ndarray) -> Surrogate:
    kernel = lambda a, b: np.exp(-0.5 * (a[:, None] - b[None]) ** 2)  # noqa: E731
    return Surrogate(kernel(points, points), kernel(where, points), noise, np.full(len(where), 1 / len(where)))


def remaining(model: Surrogate, chosen: list[int], prior: float) -> float:
    """The expected error after training on ``chosen``, by solving the system at once."""
    if not chosen:
        return prior
    inside = model.pool[np.ix_(chosen, chosen)] + np.diag(model.noise[chosen])
    cross = model.cross[:, chosen]
    return float(model.weight @ (1.0 - np.einsum("vc,vc->v", cross, np.linalg.solve(inside, cross.T).T)))


def test_the_gains_are_the_exact_reductions_and_greedy():
    rng = np.random.default_rng(0)
    model = surrogate(rng.normal(0, 2, 14), rng.normal(0, 2, 9), rng.uniform(0.1, 2, 14))
    chosen, gains = greedy_error_reduction(model, 8, np.arange(14))
    assert (np.diff(gains) <= 1e-12).all()
    for i in range(8):
        before, after = (remaining(model, chosen[:j], 1.0) for j in (i, i + 1))
        assert gains[i] == pytest.approx(before - after)
        others = [c for c in range(14) if c not in chosen[:i]]
        best = max(before - remaining(model, [*chosen[:i], c], 1.0) for c in others)
        assert gains[i] == pytest.approx(best)


def test_what_is_covered_already_gains_little():
    points = np.array([0.0, 0.01, 0.02, 5.0])
    where = np.array([0.0, 0.0, 0.0, 5.0])
    chosen, _ = greedy_error_reduction(surrogate(points, where, np.full(4, 0.05)), 2, np.arange(4))
    assert 3 in chosen


def test_an_example_that_teaches_nothing_is_not_taken():
    model = surrogate(np.array([0.0, 1.0]), np.array([0.0]), np.array([np.inf, 0.5]))
    assert greedy_error_reduction(model, 2, np.arange(2))[0] == [1]


def test_judging_games_of_the_training_side_give_no_candidate_and_are_the_same_for_all(pool, fitted, features):
    chosen = {
        method: select(method, pool, 500, seed=3, **options(fitted, features)).frame["snapshot_id"].implode()
        for method in JUDGED
    }
    games = {method: set(pool.filter(pl.col("snapshot_id").is_in(ids))["task_id"]) for method, ids in chosen.items()}
    assert len(games["influence"]) == pool["task_id"].n_unique() - round(0.3 * pool["task_id"].n_unique())
    assert games["eef_error"] <= games["influence"]
    few = select("influence", pool, 500, seed=3, **options(fitted, features))
    assert "games that judge" in few.reason


def test_loss_takes_what_the_student_would_least_do(pool):
    rows = pool.with_columns(pl.col("commands").list.get(pl.col("step") % 3).alias("suggested_action"))
    chosen = select("loss", rows, 10, seed=0).frame
    known = {
        row["snapshot_id"]: -row["logp"][row["commands"].index(row["suggested_action"])]
        for row in rows.iter_rows(named=True)
    }
    assert chosen["score"].to_list() == pytest.approx(sorted(known.values(), reverse=True)[:10])
    assert chosen["score"].to_list() == pytest.approx([known[name] for name in chosen["snapshot_id"]])


def test_an_impossible_command_has_infinite_loss_and_an_unknown_one_none(pool):
    rows = pool.head(3).with_columns(
        pl.Series("commands", [["a", "b"]] * 3),
        pl.Series("logp", [[0.0, -np.inf], [-1.0, -0.5], [-0.1, -2.0]]),
        pl.Series("suggested_action", ["b", None, "b"], dtype=pl.String),
    )
    chosen = select("loss", rows, 3, seed=0)
    assert chosen.frame["snapshot_id"].to_list() == [rows["snapshot_id"][0], rows["snapshot_id"][2]]
    assert chosen.frame["score"].to_list() == [np.inf, 2.0]
    assert "not admissible" in chosen.reason


@pytest.mark.parametrize("seed", range(6))
def test_greedy_centres_leave_nothing_further_than_twice_the_best(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(10, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    chosen, radius = greedy_centres(distance, 3, rng.permutation(10))
    reach = [distance[:, list(subset)].min(axis=1).max() for subset in itertools.combinations(range(10), 3)]
    assert distance[:, chosen].min(axis=1).max() <= 2 * min(reach) + 1e-12
    assert (np.diff(radius) <= 1e-12).all()
    assert len(set(greedy_centres(np.zeros((4, 4)), 9, np.arange(4))[0])) == 4, "equals are taken once, too"


def test_diversity_knows_no_label(pool, fitted, features):
    first = select("diversity", pool, 12, seed=0, features=features).frame
    labels = ("ELP_net", "ELP_raw", "U", "L_local", "L_upper", "p_policy", "p_force", "entropy")
    blind = pool.with_columns(pl.lit(0.5).alias(label) for label in labels)
    assert select("diversity", blind, 12, seed=0, features=features).frame.equals(first)


def test_influence_is_the_cosine_with_the_mean_and_short_gradients_lose_nothing():
    aim = np.array([[1.0, 0.0], [3.0, 0.0]])
    scores = influence(np.array([[0.01, 0.0], [5.0, 5.0], [-2.0, 0.0], [0.0, 0.0]]), aim)
    assert scores == pytest.approx([1.0, 0.5**0.5, -1.0, 0.0])


def coverage(rng: np.random.Generator, count: int) -> Coverage:
    actions = [f"{verb} thing{i}" for i, verb in enumerate(rng.choice(["cook", "cut", "go"], count))]
    return Coverage.build(rng.normal(0.2, 0.3, count), actions, rng.normal(size=(count, 3)))


@pytest.mark.parametrize("seed", range(6))
def test_greedy_coverage_is_within_its_guarantee_and_submodular(seed):
    rng = np.random.default_rng(seed)
    model = coverage(rng, 9)
    chosen, gains = greedy_coverage(model, 3, np.arange(9))
    best = max(model.value(subset) for subset in itertools.combinations(range(9), 3))
    assert model.value(chosen) >= (1 - 1 / np.e) * best
    assert model.value(chosen) == pytest.approx(gains.sum())
    for _ in range(30):
        large = rng.permutation(9)[: rng.integers(2, 8)].tolist()
        small, new = large[: rng.integers(0, len(large))], int(rng.integers(9))
        assert model.value([*small, new]) >= model.value(small) - 1e-12
        gain = [model.value([*part, new]) - model.value(part) for part in (small, large)]
        assert gain[0] >= gain[1] - 1e-12


def test_a_diverse_choice_spreads_over_skills_where_ranking_repeats_one():
    """Thirty snapshots of one skill are the most teachable, and three other skills stand behind them."""
    rng = np.random.default_rng(0)
    actions = [f"cook food{i} with oven" for i in range(30)]
    actions += [f"{verb} food{i}" for verb in ("slice", "dice", "open") for i in range(10)]
    utility = np.concatenate([rng.uniform(0.7, 0.9, 30), rng.uniform(0.3, 0.6, 30)])
    chosen, _ = greedy_coverage(Coverage.build(utility, actions, rng.normal(size=(60, 4))), 24, np.arange(60))
    taught = Counter(actions[c].split()[0] for c in chosen)
    assert len(set(chosen)) == 24
    assert set(taught) == {"cook", "slice", "dice", "open"}
    assert taught["cook"] <= 14
    ranked = Counter(actions[c].split()[0] for c in np.argsort(-utility)[:24])
    assert set(ranked) == {"cook"}


def test_random_draws_once_for_every_training(pool):
    frame = select("random", pool, 5, seed=1, draws=3).frame
    draws = [set(part["snapshot_id"]) for part in frame.partition_by("draw", maintain_order=True)]
    assert [len(draw) for draw in draws] == [5, 5, 5]
    assert draws[0] != draws[1] != draws[2]
    assert set(frame["run"]) == {"S_random_k5"}
    more = select("random", pool, 8, seed=1, draws=1).frame
    assert draws[0] < set(more["snapshot_id"]), "a larger k adds to the smaller one"


def test_errors_say_what_is_wrong(pool, fitted, features):
    with pytest.raises(PredictorError, match="unknown selection"):
        select("magic", pool, 5, seed=0)
    with pytest.raises(PredictorError, match="at least 1"):
        select("random", pool, 0, seed=0)
    with pytest.raises(PredictorError, match="predictions"):
        select("predictor", pool, 5, seed=0)
    with pytest.raises(PredictorError, match="no prediction"):
        select("predictor", pool, 5, seed=0, predictions=fitted.predictions.head(3))
    with pytest.raises(PredictorError, match="features"):
        select("eef_error", pool, 5, seed=0, predictions=fitted.predictions)
    with pytest.raises(PredictorError, match="features"):
        select("diversity", pool, 5, seed=0)
    with pytest.raises(PredictorError, match="gradients: give those of the stage influence"):
        select("influence", pool, 5, seed=0)
    with pytest.raises(PredictorError, match=r"no gradient, e\.g\. s0"):
        select("influence", pool, 5, seed=0, gradients=gradients(features).head(3))
    with pytest.raises(PredictorError, match="lack the columns"):
        select("random", pool.drop("route"), 5, seed=0)
