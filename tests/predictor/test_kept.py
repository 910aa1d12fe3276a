"""A kept predictor says what the fitted one said, and a file that is amiss says so."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load, save

from predictor.synthetic import hidden_states, labeled
from teachable.predictor import PredictorError, Settings, cross_fit, feature_set, from_bytes, keep, to_bytes
from teachable.predictor import kept as files
from teachable.predictor.export import exported, plain
from teachable.predictor.features import FEATURES_VERSION, tier1_features
from teachable.predictor.fitted import Fitted
from teachable.predictor.learners import FAMILIES, candidates, fit_class, fit_number
from teachable.tables import RANKING, conform
from teachable.worlds.textworld.words import WORDS

GIVEN = {"world": "textworld", "student": "f" * 64, "topk": 3, "uncertainty": "entropy"}


@pytest.fixture(scope="module")
def held_out(frame):
    return set(sorted(frame["task_id"].unique())[:20])


@pytest.fixture(scope="module")
def crosses(frame, features, settings, held_out):
    return [cross_fit(features, frame, settings, seed=3, method=m, held_out=held_out) for m in ("predictor", "tier1")]


@pytest.fixture(scope="module")
def kept(crosses, settings):
    return keep(crosses, settings, seed=3, given=GIVEN)


@pytest.fixture(scope="module")
def data(kept):
    return to_bytes(kept)


def forged(data, record=None, **tensors):
    """The file with other entries of its record and other arrays, and a digest that fits them."""
    said = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"][files._KEY])
    said = {key: value for key, value in (said | (record or {})).items() if key != "digest"}
    arrays = dict(load(data)) | tensors
    said["digest"] = files._digest(said, arrays)
    return save(arrays, metadata={files._KEY: json.dumps(said, sort_keys=True)})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_arrays_predict_what_the_estimator_predicts_bit_by_bit(family, classes):
    rng = np.random.default_rng(classes)
    x = rng.normal(size=(240, 9)) * np.array([1, 1e3, 1e-3, 1, 1, 1, 1, 0, 1])
    x[:, 4] = np.round(x[:, 4])  # ties at thresholds
    y = x[:, 0] + x[:, 4] + rng.normal(0, 0.3, 240)
    labels = (
        np.asarray(["demo", "contrast", "hint"])[:classes][np.digitize(y, [0.0, 1.0][: classes - 1])] if classes else y
    )
    settings = Settings(families=(family,), trees=12, rounds=8)
    for make in candidates(settings, classes=bool(classes)).values():
        model = make(1).fit(x, labels)
        new = np.concatenate([x, rng.normal(size=(5000, 9)) * 50])  # more than go down the trees at once
        learner = plain(model)
        if classes:
            found, wanted = learner.predict_proba(new), model.predict_proba(new)
            # of two classes the logistic function is the C library's: equal but for the last bit
            assert np.abs(found - wanted).max() <= (2**-52 if classes == 2 and family != "extra_trees" else 0)
            assert learner.classes_ == tuple(model.classes_)
        else:
            assert np.array_equal(learner.predict(new), model.predict(new))


def test_what_never_varied_is_kept_as_a_constant():
    x, tasks = np.random.default_rng(0).normal(size=(12, 3)), np.asarray([f"g{i}" for i in range(12)])
    number = fit_number(x, np.full(12, 0.25), tasks, Settings(), 1)
    one = fit_class(x, np.asarray(["hint"] * 12), tasks, Settings(), 1)
    assert plain(number.model).predict(x).tolist() == [0.25] * 12
    assert Fitted("constant", plain(one.model), None).classes(x)[0].tolist() == ["hint"] * 12


def test_an_estimator_that_says_something_else_than_its_arrays_is_not_kept(crosses, features):
    model = crosses[1].models[0]
    target, found = next((t, f) for t, f in model.fitted.items() if f.name != "constant" and t != "route")

    class Other(type(found.model)):
        def predict(self, x):
            return super().predict(x) + 1e-9

    shifted = Other.__new__(Other)
    shifted.__dict__ = found.model.__dict__
    odd = replace(model, fitted={target: replace(found, model=shifted)})
    with pytest.raises(PredictorError, match=f"of {target} cannot be kept with scikit-learn"):
        exported(odd, model.design(features))


def test_held_out_games_are_ranked_as_phase_4_predicted_them(data, crosses, features, held_out):
    outside = features.take(np.isin(features.task_id, sorted(held_out)))
    for cross, given, tiers in zip(
        crosses, (outside, replace(outside, embeddings={})), ("tier1 tier2", "tier1"), strict=True
    ):
        ranking = from_bytes(data).rank(given)
        assert set(ranking["tiers"]) == {tiers}
        assert ranking["rank"].to_list() == list(range(1, len(given) + 1))
        assert ranking["ELP_net"].is_sorted(descending=True)
        said = cross.predictions.filter(pl.col("task_id").is_in(sorted(held_out)))
        for target in ("ELP_net", "L_local", "U", "route", "quadrant"):
            both = said.filter(target=target).join(ranking, on="snapshot_id")
            assert len(both) == len(given)
            if target in ("route", "quadrant"):
                assert both["label"].to_list() == both[target].to_list()
            else:
                np.testing.assert_array_equal(both["score"].to_numpy(), both[target].to_numpy())


def test_without_held_out_games_the_kept_one_learned_from_all(frame, features, settings):
    cross = cross_fit(features, frame, settings, seed=3, method="tier1", targets=["ELP_net", "U", "L_local"])
    kept = keep([cross], settings, seed=3, given=GIVEN)
    assert kept.about.games == frame["task_id"].n_unique()
    ranking = kept.rank(replace(features, embeddings={}))
    assert ranking["route"].is_null().all() or "route" in kept.variants["tier1"].predictor.fitted


def test_equal_predictors_are_equal_bytes_and_reading_loses_nothing(data, crosses, settings, features):
    assert to_bytes(keep(crosses, settings, seed=3, given=GIVEN)) == data
    again = from_bytes(data)
    assert to_bytes(again) == data
    assert again.rank(features).equals(from_bytes(data).rank(features))


def test_the_table_is_lawful_and_its_chances_add_up(kept, features, frame):
    ranking = conform(kept.rank(features, level=0.8), RANKING)
    for kind, names in (("route", ("demo", "contrast", "hint")), ("quadrant", ("Q1", "Q2", "Q3", "Q4"))):
        total = ranking.select(pl.sum_horizontal(f"p_{kind}_{name}" for name in names)).to_series()
        np.testing.assert_allclose(total.to_numpy(), 1.0)
    assert (ranking["ELP_net_low"] <= ranking["ELP_net_high"]).all()
    truth = frame.select("snapshot_id", true="quadrant", drawn="ELP_net")
    both = ranking.join(truth, on="snapshot_id")
    chance = both.select(pl.when(pl.col("true") == "Q1").then("p_quadrant_Q1").otherwise(None)).to_series().drop_nulls()
    assert chance.mean() > 2 * ranking["p_quadrant_Q1"].mean()


def test_intervals_hold_the_labels_of_games_never_seen(kept, settings):
    fresh = labeled(games=80, seed=77)
    ranking = kept.rank(feature_set(fresh, WORDS, hidden_states(fresh, seed=1)), level=0.8)
    both = ranking.join(fresh.select("snapshot_id", truth="ELP_net"), on="snapshot_id")
    inside = both.filter(pl.col("truth").is_between("ELP_net_low", "ELP_net_high"))
    assert 0.72 < len(inside) / len(both) < 0.95
    narrow = kept.rank(feature_set(fresh, WORDS), level=0.5)
    assert (narrow["ELP_net_high"] - narrow["ELP_net_low"]).mean() < (
        ranking["ELP_net_high"] - ranking["ELP_net_low"]
    ).mean() * 3


def test_what_looks_like_nothing_known_is_outside_and_the_rest_is_not(kept, features):
    known = kept.rank(replace(features, embeddings={}))
    assert known["outside"].mean() < 0.15
    column = features.names.index("length.observation")
    table = features.table.copy()
    table[:, column] += 500.0
    far = kept.rank(replace(features, table=table, embeddings={}))
    assert far["outside"].all()
    assert set(far["unusual"]) == {"length.observation"}


def test_every_damage_is_one_sentence_that_names_the_file(data, tmp_path):
    rng = np.random.default_rng(0)
    broken = [data[:size] for size in (0, 5, 8, 100, len(data) // 2, len(data) - 1)]
    header = 8 + int.from_bytes(data[:8], "little")
    for place in [*range(0, 60, 3), *rng.integers(0, header, 60), *rng.integers(header, len(data), 60)]:
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(0, 8))
        broken.append(bytes(changed))
    broken += [b"{}", b"\x02\0\0\0\0\0\0\0{}", save({"a": np.zeros(2)}), save({"a": np.zeros(2)}, {files._KEY: "[]"})]
    for each in broken:
        with pytest.raises(PredictorError, match=r"^model\.safetensors"):
            from_bytes(each, "model.safetensors")


def test_a_file_of_another_version_says_which(data):
    with pytest.raises(PredictorError, match=r"format 99.*reads format 1"):
        from_bytes(forged(data, {"format": 99}))
    about = files.asdict(from_bytes(data).about) | {"features_version": FEATURES_VERSION + 1}
    with pytest.raises(PredictorError, match=f"features of version {FEATURES_VERSION + 1}"):
        from_bytes(forged(data, {"about": about}))
    with pytest.raises(PredictorError, match="incomplete"):
        from_bytes(forged(data, {"about": about | {"more": 1}}))


def test_trees_that_lead_nowhere_are_refused(data):
    arrays = load(data)
    place = next(name for name in arrays if name.endswith("/left") and (arrays[name] >= 0).any()).removesuffix("left")
    inner = int(np.flatnonzero(arrays[place + "feature"] >= 0)[0])
    for name, value, what in (
        ("left", inner, "no child"),
        ("right", 10**6, "no child"),
        ("feature", 10**4, "a column beyond"),
        ("value", np.nan, "NaN"),
    ):
        wrong = arrays[place + name].copy()
        wrong[inner] = value
        with pytest.raises(PredictorError, match=what):
            from_bytes(forged(data, **{place + name: wrong}))


def test_a_class_that_is_none_here_is_refused(data):
    said = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"][files._KEY])
    variants = json.loads(json.dumps(said["variants"]).replace('"hint"', '"song"'))
    with pytest.raises(PredictorError, match="'song'"):
        from_bytes(forged(data, {"variants": variants}))


def test_a_reason_for_no_predictor_reaches_whoever_asks():
    with pytest.raises(PredictorError, match=r"m\.safetensors holds no predictor.*too few games"):
        from_bytes(to_bytes("too few games."), "m.safetensors")


def test_features_are_told_by_name(kept, features):
    plain_features = replace(features, embeddings={})
    wanted = kept.rank(plain_features)
    order = np.random.default_rng(1).permutation(len(features.names))
    shuffled = replace(plain_features, names=tuple(features.names[i] for i in order), table=features.table[:, order])
    assert kept.rank(shuffled).equals(wanted)
    with pytest.raises(PredictorError, match=r"needs 'uncertainty\.entropy' and does not know nothing"):
        kept.rank(replace(plain_features, names=features.names[1:], table=features.table[:, 1:]))
    with pytest.raises(PredictorError, match=r"does not know 'commands\.count_sing'"):
        kept.rank(plain_features.with_columns({"commands.count_sing": np.zeros(len(features))}))


def test_what_is_not_finite_is_named(kept, features):
    table = features.table.copy()
    table[3, 0] = np.nan
    with pytest.raises(
        PredictorError, match=rf"{features.snapshot_id[3]}: the feature 'uncertainty\.entropy' is not finite"
    ):
        kept.rank(replace(features, table=table, embeddings={}))
    with pytest.raises(PredictorError, match="a level lies between 0 and 1, but is 90"):
        kept.rank(features, level=90)


def test_hidden_states_of_another_width_are_refused(kept, frame):
    other = feature_set(frame, WORDS, hidden_states(frame, width=5))
    with pytest.raises(PredictorError, match="have 5 units, this predictor learned from 12"):
        kept.rank(other)


def test_nothing_to_rank_is_an_empty_table(kept, features):
    assert kept.rank(features.take(np.zeros(len(features), dtype=bool))).height == 0


def test_a_feature_that_changes_needs_another_version():
    """Raise FEATURES_VERSION and put the new digest here: kept predictors then refuse what they did not learn from."""
    table = tier1_features(labeled(games=3, each=2, seed=9), WORDS)
    values = [[f"{value:.6g}" for value in row] for row in table.drop("snapshot_id", "task_id").rows()]
    digest = hashlib.sha256(json.dumps([table.columns, values]).encode()).hexdigest()[:16]
    assert (FEATURES_VERSION, digest) == (1, "2e64dcd9d61437f8")
