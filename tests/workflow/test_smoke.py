"""The whole protocol, preset smoke, through the real Snakefile."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from configured import section
from polars.testing import assert_frame_equal
from teacher.conftest import Reply, Server, completion

from teachable import tables
from teachable.artifacts.commandline import parse_all
from teachable.artifacts.fingerprint import closure
from teachable.paper import FIGURES, TABLES
from teachable.stages import STAGES
from workflow.workplace import Workplace, differing, results_of

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(2400)]


def test_every_deliverable_is_there(smoke: Workplace) -> None:
    wanted = [file for item in (*FIGURES.values(), *TABLES.values()) for file in item.files]
    wanted += ["results/criteria.json", "results/report.html", "results/report.md", "results/config.json"]
    wanted += ["results/phase2/training_summary.json", "results/phase1b/cpt_correlation.json"]
    missing = [name for name in wanted if not smoke.path(name).is_file() or not smoke.path(name).stat().st_size]
    assert not missing


def test_restored_snapshots_are_exact_and_splits_disjoint(smoke: Workplace) -> None:
    assert tables.read_json(smoke.path("results/phase0/restore_check.json"))["fraction"] == 1.0
    assert tables.read_json(smoke.path("results/phase0/splits.json"))["overlaps"] == 0
    panels = tables.read(smoke.path("results/phase1/panels.parquet"), tables.PANELS)
    sides = panels.group_by("task_id").agg(pl.col("side").n_unique())
    assert (sides["side"] == 1).all()


def test_every_episode_behind_a_label_is_logged(smoke: Workplace) -> None:
    played = tables.read(smoke.path("results/phase1/label_episodes.parquet"), tables.EPISODES)
    nodes = tables.read(smoke.path("results/phase1/tree_nodes.parquet"), tables.TREE_NODES)
    labeled = tables.read(smoke.path("results/phase1/labeled_snapshots.parquet"), tables.LABELED)
    assert set(labeled["snapshot_id"]) <= set(nodes.filter(node=0)["snapshot_id"])
    assert "frontier" in set(played["condition"])
    micro = tables.read(smoke.path("results/phase1b/micro_episodes.parquet"), tables.EPISODES)
    assert {"before", "after"} <= set(micro["panel"])


def test_all_adapters_differ_from_the_base_and_load_in_plain_peft(smoke: Workplace) -> None:
    summary = tables.read_json(smoke.path("results/phase2/training_summary.json"))["runs"]
    assert len(summary) == 17  # twelve cells, two baselines, two controls, recovery
    trained = [run for run in summary.values() if "absent" not in run]
    assert len(trained) >= 14
    assert all(run["probe_shift"] > 0 for run in trained)
    digests = [record["sha256"] for run in trained for record in run["seeds"].values()]
    assert len(set(digests)) == len(digests) == 2 * len(trained)

    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(str(smoke.path("results/student/weights")))
    model = PeftModel.from_pretrained(base, str(smoke.path(summary["B1_uniform"]["seeds"]["1"]["adapter"])))
    assert any("lora" in name for name, _ in model.named_parameters())


def test_every_benchmark_and_log_is_kept(smoke: Workplace) -> None:
    benchmarks = list(smoke.path("results/benchmarks").rglob("*.tsv"))
    logs = list(smoke.path("logs").rglob("*.log"))
    assert len(benchmarks) == len(logs) > 90
    assert all(log.read_text() for log in logs)
    assert "step" in smoke.path("logs/student/build.log").read_text()  # long stages tell how far they are


def test_the_run_becomes_an_ro_crate(smoke: Workplace) -> None:
    done = smoke.snakemake("--reporter", "fairscape")
    assert done.returncode == 0, done.stderr[-2000:]
    place = smoke.path("ro-crate-metadata.json")
    crate = json.loads(place.read_text())["@graph"]
    place.unlink()
    assert {"ro-crate-metadata.json"} <= {entity["@id"] for entity in crate}
    text = json.dumps(crate)
    assert all(name in text for name in ("results/criteria.json", "results/report.html", "figures/fig_h1_1.pdf"))
    assert "teachable evaluate" in text  # the command of a job


def test_no_process_loads_code_that_the_fingerprint_of_its_stage_does_not_know(smoke: Workplace) -> None:
    traces = [json.loads(path.read_text()) for path in smoke.path("modules").iterdir()]
    program = closure("teachable.cli", *(f"teachable.artifacts.{name}" for name in ("runner", "store", "gpus")))
    program |= closure("teachable.worlds.textworld.entry")  # says where the parts are; is none of them
    known: dict[int, set[str]] = {}  # of a stage's process
    stages = set()
    for trace in traces:
        if Path(trace["argv"][0]).name == "teachable":
            calls = parse_all(trace["argv"][1:])
            stages |= {call.stage for call in calls}
            reached = [closure(*STAGES[call.stage].modules(call.params)) for call in calls]
            known[trace["pid"]] = program.union(*reached)
    # not of the default target: of snapshots.mode: fall, of selection by influence, of retention_curves: all, of a
    # checkpoint as the expert, of a pretrained student, and what stands alone; tried below
    asked_for = {
        "episode-values",
        "influence",
        "recovery-trajectories",
        "checkpoints",
        "end2end",
        "judge",
        "judge-agreement",
        "link-expert",
        "warm-start",
    }
    alone = {"uncertainty", "leverage-values", "leverage", "patch-values", "patch-test", "validation-panel"}
    assert stages == STAGES.keys() - asked_for - alone
    children = 0
    for trace in traces:
        owner = trace["pid"] if trace["pid"] in known else trace["parent"]
        if owner in known:  # else it is Snakemake
            children += owner != trace["pid"]
            assert sorted(set(trace["modules"]) - known[owner]) == [], trace["argv"][:2]
    assert children  # TextWorld's games are made in processes of their own


def test_snapshots_by_fall_of_value(smoke: Workplace, tmp_path: Path) -> None:
    """The same games, student and rollouts, from the store; other snapshots."""
    place = Workplace(tmp_path, smoke.store)
    target = "results/phase0/snapshots.parquet"
    result = place.snakemake("--cores", "2", "--config", "preset=smoke", "snapshots={mode: fall}", "--", target)
    assert result.returncode == 0, result.stderr[-2000:]
    values = tables.read(place.path("results/phase0/episode_values.parquet"), tables.EPISODE_VALUES)
    assert values["value"].is_between(0, 1).all()
    fallen = tables.read(place.path(target), tables.SNAPSHOTS)
    assert not fallen.equals(tables.read(smoke.path(target), tables.SNAPSHOTS))


def test_each_label_alone(smoke: Workplace) -> None:
    """Beside a finished run: the same numbers where they rest on no draw, and a log of every episode or tree."""
    smoke.smoke("uncertainty", "leverage", "patch_test", "quadrants", "validation_panel", "recovery")
    labeled = tables.read(smoke.path("results/phase1/labeled_snapshots.parquet"), tables.LABELED)
    found = {
        name: tables.read(smoke.path(f"results/phase1/{name}.parquet"), getattr(tables, name.upper()))
        for name in ("uncertainty", "leverage", "patch_test")
    }
    both = labeled.select("snapshot_id", "U", "p_expert", "ELP_net")
    mine = found["uncertainty"].select("snapshot_id", "U")
    assert both.select("snapshot_id", "U").equals(mine.join(both, on="snapshot_id", how="semi").sort("snapshot_id"))
    pairs = both.join(found["leverage"], on="snapshot_id", suffix="_alone")
    assert pairs["p_expert"].equals(pairs["p_expert_alone"].rename("p_expert")), "the expert draws nothing"
    theirs = tables.read(smoke.path("results/phase1/expert_snapshots.parquet"), tables.LABELED)
    setup_b = found["leverage"].filter(source="expert").select("snapshot_id", "p_expert").sort("snapshot_id")
    assert setup_b.height
    assert setup_b.equals(theirs.select("snapshot_id", "p_expert").sort("snapshot_id"))
    tested = both.drop_nulls("ELP_net")["snapshot_id"]
    assert set(tested) <= set(found["patch_test"]["snapshot_id"])
    for name in ("leverage", "patch"):
        nodes = tables.read(smoke.path(f"results/phase1/{name}_nodes.parquet"), tables.TREE_NODES)
        assert set(tested) <= set(nodes.filter(node=0)["snapshot_id"])
    validation, panels = (
        tables.read(smoke.path(f"results/phase1/{name}.parquet"), tables.PANELS)
        for name in ("validation_panel", "panels")
    )
    assert validation.height
    assert validation.equals(panels.filter(panel="validation"))
    recovered = tables.read(smoke.path("results/phase2/recovery_trajectories.parquet"), tables.CONTINUATIONS)
    least = section("training", "smoke").recovery_minimum
    training = panels.filter(panel="train")["snapshot_id"]
    high = labeled.filter((pl.col("L_upper") > least) & pl.col("snapshot_id").is_in(training.implode()))
    assert set(recovered["snapshot_id"]) == set(high["snapshot_id"]), "each of them and no other"
    assert set(labeled["snapshot_id"]) > set(high["snapshot_id"])


def test_end_to_end_evaluation_plays_nothing_again(smoke: Workplace) -> None:
    smoke.smoke("end2end")
    alone, whole = (
        tables.read(smoke.path(f"results/phase3/{name}.parquet"), tables.METRICS) for name in ("end2end", "metrics")
    )
    assert {"base", "Q1_demo", "recovery"} <= set(alone["model"])
    assert alone.equals(whole.filter(panel="test", metric="success"))
    plan = smoke.snakemake("--dry-run", "--forcerun", "end2end", "--config", "preset=smoke", "--", "end2end")
    jobs = plan.stdout.split("Job stats:")[1].partition("\n\n")[0]
    assert {line.split()[0] for line in jobs.splitlines()[3:]} == {"end2end", "total"}, "no model plays"


def test_a_judge_beside_a_finished_run(smoke: Workplace) -> None:
    """Asked for by name; one that names the last decision and calls all advice right agrees as often as that is so."""
    refused = smoke.snakemake("--cores", "1", "--config", "preset=smoke", "--", "judge")
    assert "judge.episodes and judge.advice are both 0" in refused.stdout + refused.stderr

    def easy(request: dict[str, Any]) -> Reply:
        numbers = re.findall(r"^DECISION (\d+)$", request["messages"][1]["content"], re.MULTILINE)
        return Reply(completion({**({"decision": len(numbers)} if numbers else {"right": True}), "comment": "So."}))

    server = Server()
    server.otherwise = easy
    judge = f"judge={{episodes: 6, advice: 8, base_url: '{server.url}', api_key_env: ''}}"
    try:
        result = smoke.snakemake("--cores", "1", "--config", "preset=smoke", judge, "--", "judge_agreement")
    finally:
        server.close()
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    judged = tables.read(smoke.path("results/phase1/judgements.parquet"), tables.JUDGEMENTS)
    assert judged.height == len(server.requests)
    assert judged["valid"].all()
    assert set(server.keys) == {"Bearer none"}, "no key is sent"
    agreement = tables.read(smoke.path("results/phase1/judge_agreement.parquet"), tables.METRICS)
    share = agreement.filter(group="decision", metric="agreement")["point"][0]
    last = judged.filter(subject="decision")
    assert share == pytest.approx((last["truth"] == last["decisions"]).mean())
    advice = agreement.filter(group="advice")
    shares = dict(advice.select("metric", "point").iter_rows())
    assert shares["verdicts"] == 1.0
    assert shares.get("agreement") == shares.get("is_right"), "null where no value is known well enough"


def test_retention_curves_of_every_run(smoke: Workplace) -> None:
    """Beside a finished run: the run that drift looks at keeps its rows, every other gets some."""
    path = smoke.path("results/phase3/checkpoints.parquet")
    before = tables.read(path, tables.METRICS)
    every = ("preset=smoke", "evaluation={retention_curves: all}")
    target = "results/phase3/checkpoints.parquet"
    try:
        result = smoke.snakemake("--cores", "2", "--config", *every, "--", target)
        assert result.returncode == 0, result.stderr[-2000:]
        after = tables.read(path, tables.METRICS)
    finally:
        smoke.smoke(target)
    assert after.filter(pl.col("model").is_in(before["model"].unique().implode())).equals(before)
    runs = {model.split("@")[0] for model in after["model"]}
    assert {"base", "Q1_demo", "B1_uniform", "B2_all", "recovery", "C_replay"} <= runs
    assert tables.read(path, tables.METRICS).equals(before)


def test_thresholds_by_hand_rerun_the_labels_alone(smoke: Workplace) -> None:
    by_hand = "labels={thresholds: given, given_U: 0.5, given_L: 0.1}"
    result = smoke.snakemake("--dry-run", "--config", "preset=smoke", by_hand, "--", "quadrants")
    jobs = result.stdout.split("Job stats:")[1].partition("\n\n")[0]
    names = {line.split()[0] for line in jobs.splitlines()[3:]}
    assert names == {"label", "quadrants", "total"}


def test_a_finished_run_has_nothing_to_do(smoke: Workplace) -> None:
    result = smoke.snakemake("--dry-run", "--config", "preset=smoke")
    assert "Nothing to be done" in result.stdout + result.stderr
    how = ("teacher={budget_usd: 3.5}", "resources={minutes: 7}")  # to work, not what to make
    result = smoke.snakemake("--dry-run", "--config", "preset=smoke", *how)
    assert "Nothing to be done" in result.stdout + result.stderr


def test_a_torn_table_stops_one_stage_and_costs_no_other(smoke: Workplace) -> None:
    path = smoke.path("results/phase1/thresholds.json")
    labeled = smoke.path("results/phase1/labeled_snapshots.parquet")
    content = labeled.read_bytes()
    labeled.write_bytes(content[: len(content) // 2])
    try:
        result = smoke.snakemake("--cores", "1", "--config", "preset=smoke", "--forcerun", "fig_h1_1", "--", "fig_h1_1",
                                 TEACHABLE_STORE_REFRESH="1")  # fmt: skip
        assert result.returncode != 0
        assert "labeled_snapshots.parquet is not a readable Parquet file" in result.stdout + result.stderr
        assert path.exists()
    finally:
        labeled.write_bytes(content)
    smoke.smoke("figures")  # the forced figure was removed before it failed; the store still has it


def test_two_runs_with_the_same_seed_have_equal_bytes(
    smoke: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Computed anew without the store, in another order of jobs, with another hash seed, locale and time zone: equal
    in every result but logs and benchmark rows."""
    again = Workplace(tmp_path_factory.mktemp("again"), "off")
    ascii_only = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    other = {"PYTHONHASHSEED": "7", "TZ": "Pacific/Kiritimati", **ascii_only}
    done = again.snakemake("--cores", "3", "--config", "preset=smoke", **other)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert len(results_of(again.directory)) > 300
    assert differing(again.directory, smoke.directory) == []


def test_criteria_are_complete_and_say_what_to_do(smoke: Workplace) -> None:
    entries = json.loads(smoke.path("results/criteria.json").read_text())
    assert len({entry["id"] for entry in entries}) == len(entries) > 20
    for entry in entries:
        assert {"id", "hypothesis", "value", "low", "high", "threshold", "passed", "advice"} <= set(entry)
        assert entry["passed"] is True or entry["advice"]


OF_THE_STUDENT = {
    "phase0/retention_panel": tables.PANELS,
    "phase1/labeled_snapshots": tables.LABELED,
    "phase1/panels": tables.PANELS,
    "phase1/label_metrics": tables.METRICS,
    "phase1/quadrant_shares": tables.METRICS,
    "phase1/skills": tables.SKILLS,
    "phase4/features": tables.FEATURES,
}
LAST_DIGITS = 1e-5  # by which a real model's answers may differ with what else is in their batch


def same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert_frame_equal(one, other, check_exact=False, abs_tol=LAST_DIGITS, rel_tol=LAST_DIGITS)


def test_setup_b_has_a_budget_of_its_own_and_changes_nothing_of_the_students(smoke: Workplace, tmp_path: Path) -> None:
    """To the last digits; to the byte where the student answers alike in any batch (tests/rollouts/test_setup_b.py)."""
    place = Workplace(tmp_path, smoke.store)
    more = ["rollouts={expert_episodes_per_task: 3}", "snapshots={max_expert_snapshots: 20}"]
    wanted = [f"results/{name}.parquet" for name in (*OF_THE_STUDENT, "phase1/setups")]
    result = place.snakemake("--cores", "2", "--config", "preset=smoke", *more, "--", *wanted)
    assert result.returncode == 0, result.stderr[-2000:]
    for name, schema in OF_THE_STUDENT.items():
        same(*(tables.read(one.path(f"results/{name}.parquet"), schema) for one in (smoke, place)))
    cuts = [tables.read_json(one.path("results/phase1/thresholds.json")) for one in (smoke, place)]
    assert cuts[0]["counts"] == cuts[1]["counts"]
    assert cuts[0]["U"] == pytest.approx(cuts[1]["U"], abs=LAST_DIGITS)
    found = [tables.read(one.path("results/phase1/expert_snapshots.parquet"), tables.LABELED) for one in (smoke, place)]
    assert found[0].height < found[1].height
    beside = [tables.read(one.path("results/phase1/setups.parquet"), tables.METRICS) for one in (smoke, place)]
    same(*(one.filter(panel="student") for one in beside))

    more += ["labels={setup_b: together}"]
    result = place.snakemake("--cores", "2", "--config", "preset=smoke", *more, "--", *wanted)
    assert result.returncode == 0, result.stderr[-2000:]
    together = tables.read(place.path("results/phase1/labeled_snapshots.parquet"), tables.LABELED)
    apart = tables.read(smoke.path("results/phase1/labeled_snapshots.parquet"), tables.LABELED)
    assert together.height == apart.height + found[1].height
    thresholds = tables.read_json(place.path("results/phase1/thresholds.json"))
    assert thresholds["failure_snapshots"] == together.height
    assert tables.read(place.path("results/phase1/expert_snapshots.parquet"), tables.LABELED).is_empty()


def leverage_by(place: Workplace, expert: str, *more: str, **environment: str) -> pl.DataFrame:
    """ESTIMATES of p_expert, with this expert."""
    arguments = ["--cores", "2", "--config", "preset=smoke", f"expert={expert}", *more, "--", "leverage", "recovery"]
    result = place.snakemake(*arguments, **environment)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    found = tables.read(place.path("results/phase1/leverage_estimates.parquet"), tables.ESTIMATES)
    return found.filter(quantity="p_expert").sort("snapshot_id")


def names_in(place: Workplace, table: str) -> set[str]:
    episodes = tables.read(place.path(f"results/{table}.parquet"), tables.EPISODES)
    return set(episodes.filter(behaviour="expert")["model"])


def test_a_checkpoint_plays_on(smoke: Workplace, tmp_path: Path) -> None:
    """A model, and an adapter of the student: each in the place of the game's solver, under its own name."""
    shutil.copytree(smoke.path("results/student/weights"), tmp_path / "twin")
    shutil.copytree(smoke.path("results/phase2/adapters/B2_all/1"), tmp_path / "tuned")
    solver = tables.read(smoke.path("results/phase1/estimates.parquet"), tables.ESTIMATES).filter(quantity="p_expert")
    values = {}
    for name, kind in (("twin", "model"), ("tuned", "adapter")):
        place = Workplace(tmp_path / f"at_{name}", smoke.store)
        place.directory.mkdir()
        found = leverage_by(place, f"{{source: checkpoint, path: {tmp_path / name}}}")
        assert tables.read_json(place.path("results/expert.json"))["kind"] == kind
        assert set(found["value"]) <= {0.0, 1.0}
        assert (
            names_in(place, "phase1/leverage_episodes") == names_in(place, "phase0/episodes") == {f"checkpoint {name}"}
        )
        values[name] = found["value"].mean()
        assert values[name] < solver["value"].mean(), "the solver wins where a student of sixty steps does not"
    assert values["twin"] is not None


def test_a_teacher_plays_on_and_a_second_run_asks_nothing(smoke: Workplace, tmp_path: Path) -> None:
    """A real HTTP server that always chooses the first command; then the same without it."""
    server = Server()

    def first(request: dict[str, Any]) -> Reply:
        listed = request["messages"][1]["content"].rpartition("ADMISSIBLE COMMANDS\n- ")[2]
        return Reply(completion({"command": listed.splitlines()[0]}))

    server.otherwise = first
    prices = "{other: {input: 1.0, output: 1.0}}"
    shared = f"teacher={{base_url: {server.url}, api_key_env: '', prices: {prices}, cache: {tmp_path / 'cache'}}}"
    expert = "{source: teacher, teacher: {model: other}}"
    places = [Workplace(tmp_path / name, str(tmp_path / f"store_{name}")) for name in ("one", "two")]
    for place in places:
        shutil.copytree(smoke.store, place.store)
        place.directory.mkdir()
    try:
        found = leverage_by(places[0], expert, shared)
    finally:
        server.close()
    asked = len(server.requests)
    assert asked > found.height
    assert names_in(places[0], "phase1/leverage_episodes") == {"teacher other"}
    assert found["value"].mean() < 0.5
    again = leverage_by(places[1], expert, shared)
    assert again.equals(found)
    assert len(server.requests) == asked
