"""What is off by default, switched on beside a finished run of smoke; and what other tools make of its results."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import polars as pl
import pytest

from teachable import tables
from teachable.tables.exported import STEP_VALUES
from workflow.workplace import BIN, ROOT, Workplace

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(2400)]

METHODS = ("random", "influence", "loss", "diversity")


@pytest.fixture(scope="module")
def place(smoke: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A copy of the finished run, on its store: the other tests' stays as it is."""
    return smoke.copied(tmp_path_factory.mktemp("optional") / "run")


def made(place: Workplace, setting: str, *targets: str) -> None:
    result = place.snakemake("--cores", "2", "--config", "preset=smoke", setting, "--", *targets)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


def table(place: Workplace, name: str, schema: tables.Schema) -> pl.DataFrame:
    return tables.read(place.path(f"results/{name}.parquet"), schema)


def test_preference_beside_the_matrix(smoke: Workplace, place: Workplace) -> None:
    """The run is there, learns to prefer, differs from its cell, and moves no other."""
    run, cell = "Q4_dpo", "Q4_contrast"
    made(place, "dpo={quadrants: [Q4]}", "results/phase2/training_summary.json", "evaluation_summary")

    before, after = (
        tables.read_json(one.path("results/phase2/training_summary.json"))["runs"] for one in (smoke, place)
    )
    assert after.keys() - before.keys() == {run}
    assert {name: one for name, one in after.items() if name != run} == before
    assert after[run]["probe_shift"] > 0
    digests = {name: [seed["sha256"] for seed in after[name]["seeds"].values()] for name in (run, cell)}
    assert len({*digests[run], *digests[cell]}) == 4
    for seed in ("1", "2"):
        record = tables.read_json(place.path(f"results/phase2/records/{run}/{seed}.json"))
        assert (record["loss"], record["beta"]) == ("dpo", 0.1)
        assert record["pairs"] > 0
        assert record["pairs"] + record["dropped"] == after[cell]["examples"], "the snapshots of its cell"
        assert record["margin_first"] == 0.0, "it begins as the base student"
        assert record["margin_last"] > 0, "the teacher's command is preferred more than before"
    played = table(place, "phase3/metrics", tables.METRICS)
    assert played.filter(pl.col("model") != run).equals(table(smoke, "phase3/metrics", tables.METRICS))
    assert {"test", "failure", "retention"} <= set(played.filter(model=run)["panel"])
    contrasts = table(place, "phase3/contrasts", tables.CONTRASTS)
    beside = contrasts.filter(pl.col("model") == run, pl.col("reference") == cell)
    assert beside.height
    assert set(beside["hypothesis"]) == {"DPO"}


def test_selection_by_influence_loss_and_diversity(smoke: Workplace, place: Workplace) -> None:
    made(place, f"selection={{methods: [{', '.join(METHODS)}]}}", "phase5")
    chosen = table(place, "phase5/sets", tables.SELECTION)
    assert set(chosen["run"]) == {f"S_{method}_k4" for method in METHODS}
    known = table(smoke, "phase5/sets", tables.SELECTION)
    assert chosen.filter(method="random").equals(known.filter(method="random")), "what else is asked for moves nothing"

    panels = table(place, "phase1/panels", tables.PANELS)
    training = panels.filter(panel="train")["snapshot_id"]
    labeled = table(place, "phase1/labeled_snapshots", tables.LABELED)
    candidates = labeled.filter(
        pl.col("snapshot_id").is_in(training.implode())
        & pl.col("advice_valid")
        & ~pl.col("unwinnable").fill_null(False)
        & pl.col("route").is_not_null()
    )
    assert set(chosen["snapshot_id"]) <= set(candidates["snapshot_id"])
    for method in METHODS[1:]:
        rows = chosen.filter(method=method).sort("rank")
        assert rows["snapshot_id"].n_unique() == rows.height == 4
        assert rows["score"].is_sorted(descending=True)
    losses = sorted(
        (-row["logp"][row["commands"].index(row["suggested_action"])] for row in candidates.iter_rows(named=True)),
        reverse=True,
    )
    assert chosen.filter(method="loss")["score"].to_list() == pytest.approx(losses[:4])
    gradients = table(place, "phase5/gradients", tables.GRADIENTS)
    assert set(gradients["snapshot_id"]) == set(candidates["snapshot_id"])
    assert gradients["norm"].min() > 0
    assert chosen.filter(method="influence")["score"].is_between(-1, 1).all(), "cosines"

    digests, budgets = set(), set()
    for method in METHODS:
        run = f"S_{method}_k4"
        examples = tables.read(place.path(f"results/phase5/examples/{run}.parquet"), tables.EXAMPLES)
        assert {part["snapshot_id"].n_unique() for part in examples.partition_by("draw")} == {4}, "one budget"
        assert set(examples["format"]) == {"demo"}, "one format"
        records = [tables.read_json(place.path(f"results/phase5/records/{run}/{seed}.json")) for seed in "12"]
        budgets |= {(one["examples"], one["replayed"], one["steps"]) for one in records}
        digests |= {one["sha256"] for one in records}
    assert len(digests) == 2 * len(METHODS)
    assert len(budgets) == 1
    played = table(place, "phase5/metrics", tables.METRICS)
    assert {"base", *(f"S_{method}_k4" for method in METHODS)} <= set(played["model"])


def called(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    result = subprocess.run(words, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result


def test_the_kept_predictor_ranks_and_step_values_are_exported_and_scored(smoke: Workplace, place: Workplace) -> None:
    """The commands of docs/predictor.md and docs/export.md on what a run leaves, without and with the student."""
    results = smoke.path("results")
    labeled = table(smoke, "phase1/labeled_snapshots", tables.LABELED)
    rankings = {}
    for name, student in (("bare", []), ("reading", ["--student", str(results / "student")])):
        out = place.path(f"{name}.parquet")
        line = ["teachable", "rank", str(results / "phase4/predictor.safetensors")]
        said = called(*line, "--snapshots", str(results / "phase0/snapshots.parquet"), "--out", str(out), *student)
        assert "learned from the failures of" not in said.stderr, "its own student's failures"
        rankings[name] = tables.read(out, tables.RANKING)
        assert set(labeled["snapshot_id"]) <= set(rankings[name]["snapshot_id"])
    assert [one["tiers"].unique().to_list() for one in rankings.values()] == [["tier1"], ["tier1 tier2"]]

    called("teachable", "export", "values", str(results), "-o", str(place.path("values")))
    values = tables.read(place.path("values/values.parquet"), STEP_VALUES)
    assert set(values["snapshot_id"]) <= set(labeled["snapshot_id"]) | set(rankings["bare"]["snapshot_id"])
    assert {"README.md", "values.parquet"} <= {path.name for path in place.path("values").iterdir()}
    scored = place.path("scored.json")
    options = ["--ranking", str(place.path("bare.parquet")), "--largest-se", "0.5", "--draws", "3"]
    yardstick = [sys.executable, str(ROOT / "benchmarks/yardstick.py"), str(place.path("values"))]
    called(*yardstick, *options, "--repetitions", "50", "--out", str(scored))
    found = {(row["scored"], row["metric"]): row["point"] for row in json.loads(scored.read_text())["rows"]}
    assert found["monte carlo, n = 7", "rmse"] < found["monte carlo, n = 1", "rmse"], "more episodes, less error"
    assert ("ranking", "between") in found
