"""`teachable rank` and `teachable.Ranker`: new failures in, a table out, without a model where none is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from configured import section
from student.tiny import CHAT_TEMPLATE, chat_student

import teachable
from predictor.synthetic import hidden_states
from teachable import tables
from teachable.cli import main
from teachable.pipeline.models import SETTINGS, link, load_student
from teachable.pipeline.ranking import with_measures
from teachable.predictor import PredictorError, cross_fit, feature_set, keep, to_bytes, to_table
from teachable.predictor.features import embedding_texts
from teachable.worlds.textworld.words import WORDS

STUDENT = "a" * 64


class Reader:
    """A student that reads nothing: its hidden states are given."""

    def __init__(self, fingerprint, vectors):
        self.fingerprint, self.vectors = fingerprint, list(vectors.values())

    def embed(self, texts):
        found = self.vectors.pop(0)
        assert len(found) == len(texts)
        return found


@pytest.fixture(scope="module")
def model(tmp_path_factory, frame, features, settings):
    crosses = [cross_fit(features, frame, settings, seed=3, method=method) for method in ("predictor", "tier1")]
    given = {"world": "textworld", "student": STUDENT, "topk": 5, "uncertainty": "entropy"}
    path = tmp_path_factory.mktemp("model") / "predictor.safetensors"
    path.write_bytes(to_bytes(keep(crosses, settings, seed=3, given=given)))
    return path


@pytest.fixture(scope="module")
def measured(frame):
    """The failures with the measures of their distributions: those of the made-up table are made up."""
    return with_measures(frame.drop(tables.MEASURES), 5).select(list(tables.LABELED))


@pytest.fixture
def snapshots(tmp_path, frame):
    """The same failures before anything was measured of them."""
    path = tmp_path / "snapshots.parquet"
    tables.write(frame.select(list(tables.SNAPSHOTS)), path, tables.SNAPSHOTS)
    return path


def test_snapshots_labels_and_features_give_one_ranking(model, snapshots, measured, tmp_path, capsys):
    labeled, table = tmp_path / "labeled.parquet", tmp_path / "features.parquet"
    tables.write(measured, labeled, tables.LABELED)
    tables.write(to_table(feature_set(measured, WORDS, hidden_states(measured))), table, tables.FEATURES)
    found = {}
    for option, path in (("--snapshots", snapshots), ("--snapshots", labeled), ("--features", table)):
        out = tmp_path / f"{path.stem}-ranked.parquet"
        assert main(["rank", str(model), option, str(path), "--out", str(out)]) == 0
        found[path.stem] = tables.read(out, tables.RANKING)
    assert f"{len(measured)} snapshots by tier1 into" in capsys.readouterr().err
    assert found["snapshots"].height == len(measured)
    assert found["features"]["tiers"].unique().to_list() == ["tier1 tier2"], "hidden states are used where they are"
    np.testing.assert_allclose(
        found["snapshots"].sort("snapshot_id")["ELP_net"].to_numpy(),
        found["labeled"].sort("snapshot_id")["ELP_net"].to_numpy(),
        atol=1e-9,
    )
    described = tables.describe(tmp_path / "labeled-ranked.parquet")
    assert (described.table, described.stage) == ("RANKING", "rank")
    assert described.columns["ELP_net"].unit == "probability"


def test_a_student_adds_its_hidden_states_and_another_one_is_refused(model, measured):
    ranker = teachable.Ranker.load(model)
    snapshots = measured.select(list(tables.SNAPSHOTS))
    vectors = hidden_states(measured)
    both = ranker.rank(snapshots, student=Reader(STUDENT, vectors), words=WORDS)
    assert both["tiers"].unique().to_list() == ["tier1 tier2"]
    assert both.equals(ranker.kept.rank(feature_set(measured, WORDS, vectors)))
    with pytest.raises(PredictorError, match="the student aaaaaaaaaaaa, not of bbbbbbbbbbbb: leave the student out"):
        ranker.rank(snapshots, student=Reader("b" * 64, vectors))


def linked(weights, out, seed):
    """A student of the hub's kind, as `link-student` records it: a chat template, no student.json, random weights."""
    import torch
    from safetensors.torch import load_file, save_file

    chat_student(weights, out / "model", CHAT_TEMPLATE, special=("<|im_start|>", "<|im_end|>"))
    about = json.loads((out / "model" / "config.json").read_text())
    (out / "model" / "config.json").write_text(json.dumps({**about, "max_position_embeddings": 8192}))
    file = out / "model" / "model.safetensors"
    draws = torch.Generator().manual_seed(seed)
    moved = {k: v + 0.05 * torch.randn(v.shape, generator=draws) for k, v in load_file(file).items()}
    save_file(moved, file, metadata={"format": "pt"})
    (out / "student").mkdir()
    record = link(section("student", "pilot", path=str(out / "model"), device="cpu"), None)
    tables.write_json(record, out / "student" / SETTINGS)
    return out / "student"


def test_a_student_of_the_hub_reads_the_failures(frame, measured, settings, student_directory, tmp_path, capsys):
    """A real model behind --student: hidden states of what it reads, in training and in ranking."""
    places = [tmp_path / name for name in ("one", "other")]
    for place in places:
        place.mkdir()
    one, other = (linked(student_directory, place, seed) for seed, place in enumerate(places))
    student = load_student(one)
    features = feature_set(measured, WORDS, {k: student.embed(t) for k, t in embedding_texts(measured).items()})
    crosses = [cross_fit(features, frame, settings, seed=3, method=method) for method in ("predictor", "tier1")]
    given = {"world": "textworld", "student": student.fingerprint, "topk": 5, "uncertainty": "entropy"}
    model, snapshots, out = (tmp_path / name for name in ("p.safetensors", "snapshots.parquet", "ranked.parquet"))
    model.write_bytes(to_bytes(keep(crosses, settings, seed=3, given=given)))
    tables.write(measured.select(list(tables.SNAPSHOTS)), snapshots, tables.SNAPSHOTS)
    line = ["rank", str(model), "--snapshots", str(snapshots), "--out", str(out), "--student"]
    assert main([*line, str(one)]) == 0
    found = tables.read(out, tables.RANKING)
    assert found["tiers"].unique().to_list() == ["tier1 tier2"]
    wanted = teachable.Ranker.load(model).kept.rank(features)
    for frame_ in (found, wanted):
        assert frame_["ELP_net"].n_unique() > 20
    both = found.join(wanted, on="snapshot_id", suffix="_wanted")
    np.testing.assert_allclose(both["ELP_net"].to_numpy(), both["ELP_net_wanted"].to_numpy(), atol=1e-5)
    capsys.readouterr()
    assert main([*line, str(other)]) == 1
    said = capsys.readouterr().err
    assert f"not of {load_student(other).fingerprint[:12]}: leave the student out" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("recorded", "said"), [("b" * 64, True), (STUDENT, False), (None, False)])
def test_failures_of_another_study_s_student_are_named(recorded, said, model, snapshots, tmp_path, capsys):
    """The study that the table lies in says whose they are; a table by itself says nothing."""
    results = tmp_path / "results"
    (results / "phase0").mkdir(parents=True)
    snapshots.rename(results / "phase0" / "snapshots.parquet")
    if recorded:
        (results / "student").mkdir()
        tables.write_json({"fingerprint": recorded}, results / "student" / SETTINGS)
    line = ["rank", str(model), "--snapshots", str(results / "phase0" / "snapshots.parquet")]
    assert main([*line, "--out", str(tmp_path / "r.parquet")]) == 0
    heard = capsys.readouterr().err
    assert "in textworld and student aaaaaaaaaaaa" in heard
    assert ("failures of the student bbbbbbbbbbbb, and this predictor learned from those of aaaaaaaaaaaa" in heard) == (
        said
    )


def test_ranking_loads_neither_torch_nor_scikit_learn(model, snapshots, tmp_path):
    code = f"""
import sys
from teachable.cli import main
assert main(["rank", {str(model)!r}, "--snapshots", {str(snapshots)!r}, "--out", {str(tmp_path / "r.parquet")!r}]) == 0
loaded = {{"torch", "transformers", "sklearn", "textworld"}} & set(sys.modules)
assert not loaded, loaded
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert tables.read(tmp_path / "r.parquet", tables.RANKING).height


def test_failures_of_another_kind_are_said_to_be_outside(model, frame, tmp_path, capsys):
    path, out = tmp_path / "far.parquet", tmp_path / "r.parquet"
    far = frame.select(list(tables.SNAPSHOTS)).with_columns(observation=pl.lit("word " * 700))
    tables.write(far, path, tables.SNAPSHOTS)
    assert main(["rank", str(model), "--snapshots", str(path), "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert f"{len(frame)} of {len(frame)} are outside of what it knows, where 5% are expected" in said
    assert "most for length.observation" in said


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{tmp}/none.safetensors --snapshots {snapshots}", "there is no predictor at"),
        ("{snapshots} --snapshots {snapshots}", "is no kept predictor, or damaged"),
        ("{model} --snapshots {tmp}/none.parquet", "none.parquet"),
        ("{model} --snapshots {snapshots} --level 2", "a level lies between 0 and 1"),
        ("{model} --snapshots {snapshots} --student {tmp}", "is no student: it has no settings.json"),
        ("{model} --features {snapshots}", "missing columns"),
        ("{model} --features {snapshots} --student {tmp}", "give one"),
    ],
)
def test_a_mistake_is_one_sentence(line, what, model, snapshots, tmp_path, capsys):
    words = line.format(tmp=tmp_path, snapshots=snapshots, model=model).split()
    assert main(["rank", *words, "--out", str(tmp_path / "out.parquet")]) == 1
    said = capsys.readouterr().err
    assert what in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out.parquet").exists()


def test_a_damaged_distribution_names_its_snapshot(model, frame):
    broken = frame.select(list(tables.SNAPSHOTS)).with_columns(
        student_action=pl.when(pl.col("snapshot_id") == frame["snapshot_id"][4])
        .then(pl.lit("sing"))
        .otherwise("student_action")
    )
    with pytest.raises(PredictorError, match=rf"snapshot {frame['snapshot_id'][4]}: the chosen command 'sing'"):
        teachable.Ranker.load(model).rank(broken)
