"""`teachable plan` and `teachable costs`: counts that follow from a configuration, and where every rate is from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from teachable import cli
from teachable.artifacts.commandline import Invocation
from teachable.artifacts.store import Store
from teachable.config import Config
from teachable.config.load import read_yaml
from teachable.errors import TeachableError
from teachable.stages import STAGES
from teachable.training.budget import Replay
from teachable.workflow import plan, rates, work
from teachable.workflow.configuration import configuration
from teachable.workflow.lines import recorded
from teachable.workflow.plan import Expected, Job

ROOT = Path(__file__).parents[2]
FILE = str(ROOT / "workflow_config.yaml")
HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def preset(name: str, **override: object) -> Config:
    config, _ = configuration({**read_yaml(FILE), "override": override}, preset=name)
    return config


@pytest.fixture(scope="module")
def smoke() -> Config:
    return preset("smoke")


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """Those of a whole run of preset smoke, from the real Snakefile."""
    return plan.dry_run(
        "--config", "preset=smoke", snakefile=ROOT / "Snakefile", directory=tmp_path_factory.mktemp("smoke")
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory in which the workflow is at home."""
    for name in ("Snakefile", "rules", "profiles", "docs", "workflow_config.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEACHABLE_STORE", str(tmp_path / "store"))
    return tmp_path


def a_run(place: Path, config: Config, rows: dict[str, str]) -> Path:
    """Results that hold a configuration and timings only."""
    results = place / "results"
    results.mkdir(parents=True)
    (results / "config.json").write_text(json.dumps(recorded(config)))
    for name, row in rows.items():
        path = results / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + row + "\n")
    return results


def row(seconds: float, cpu: float) -> str:
    return "\t".join([str(seconds), "0:00:00", *["1"] * 7, str(cpu)])


# --- jobs and counts --------------------------------------------------------------------------------------------------


@pytest.mark.workflow
def test_every_job_with_a_command_is_planned(jobs: list[Job], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)]
    done = subprocess.run([*command, "-n", "-q", "rules", "--config", "preset=smoke"], capture_output=True, text=True)
    total = re.search(r"^total\s+(\d+)", done.stdout, re.MULTILINE)
    assert total
    assert len(jobs) == int(total[1]) - 1  # `all` has none
    assert len({job.place for job in jobs}) == len(jobs)
    seen: set[Path] = set()
    made = {path for job in jobs for path in job.made}
    for job in jobs:
        assert job.read & made <= seen, "a maker stands before its readers"
        seen |= job.made


@pytest.mark.workflow
def test_counts_of_a_real_configuration(jobs: list[Job], smoke: Config) -> None:
    found = plan.total_work(jobs, smoke)
    assert found["make-tasks"].amount == 10 + 14 + 4
    assert found["demonstrate"].amount == 10 * 8
    assert found["rollout"].amount == 14 * (2 + 1)
    assert found["advise"].amount == found["restore-check"].amount == 40 + 6
    assert found["action-values"].amount == 46 * 6
    assert found["microtrain"].amount == 2 * (4 * 2) * (4 + 1)
    models = (14 + 2 + 1 + 8) * 2  # matrix, controls, recovery and selections, trained twice; the base beside them
    played = 4 * 2 + 4 * 3 * 1 + 4 * 1
    assert found["evaluate"].amount == (models + 2) * played + 2 * (4 + 4 * 3 + 4)
    assert set(found) >= {"train", "predict", "features", "drift", "build-student", "continuations"}


def test_what_a_training_goes_through_is_what_the_budget_says(smoke: Config) -> None:
    training = preset("laptop").training.model_dump()
    for run, examples in (("Q1_demo", 40), ("S_random_k8", 8), ("B2_all", 270)):
        replay = Replay(training["replay"], 1000, training["epochs"], training["batch_size"])
        every = examples + replay.beside(examples)
        assert work.examples_trained(run, training, preset("laptop")) == (
            training["epochs"] * every,
            replay.steps(every),
        )
    beside = Replay(training["replay"], 1000, training["epochs"], training["batch_size"]).beside(40)
    assert work.examples_trained("C_replay", training, preset("laptop"))[0] == training["epochs"] * beside


@pytest.mark.parametrize(("estimator", "episodes"), [("tree", 20), ("monte_carlo", 7 + 7 + 2 + 5 * 8)])
def test_episodes_behind_a_value(estimator: str, episodes: int) -> None:
    estimation = {**preset("laptop").estimation.model_dump(), "estimator": estimator}
    assert work.episodes_per_value(estimation) == episodes


# --- time -------------------------------------------------------------------------------------------------------------


def expected(name: str, seconds: float, read: str = "", cores: int = 1, gpus: int = 0) -> Expected:
    inputs = {"x": [Path(path) for path in read.split()]}
    return Expected(Job(f"p/{name}", (Invocation("label", inputs, {"y": Path(name)}),)), seconds, cores, gpus, "")


def test_wall_time_follows_chains_and_cores() -> None:
    plans = [expected("a", 10), expected("b", 10), expected("c", 5, "a b"), expected("d", 1)]
    assert plan.makespan(plans, 1, 0) == 26
    assert plan.makespan(plans, 2, 0) == 15
    assert plan.makespan(plans, 100, 0) == 15
    assert plan.makespan([expected("a", 3, cores=8), expected("b", 3, cores=8)], 2, 0) == 6
    assert plan.makespan([expected(name, 3, gpus=1) for name in "abcd"], 8, 2) == 6
    assert plan.makespan([], 2, 1) == 0


def test_own_jobs_correct_their_stage_and_all_others() -> None:
    own = rates.Own.of([("train", 10.0, 30.0), ("train", 10.0, 10.0), ("label", 20.0, 20.0)], "results")
    assert own.factor("train") == 2.0
    assert own.factor("evaluate") == pytest.approx(60 / 40)
    assert own.source("train", None) == "own"
    assert own.source("evaluate", None) == "reference x 1.50"
    assert rates.Own().source("train", None) == "reference"
    assert rates.Own().factor("train") == 1.0


def test_a_pretrained_student_is_reckoned_on_paper() -> None:
    paper = preset("paper", student={"path": "nobody/None-8B"})
    student = rates.pretrained(paper, "H100")
    assert student is not None
    assert (student.weights, student.is_here) == (8e9, False)
    flop = 2 * 1000 * rates.TOKENS * 8e9
    one = student.seconds([work.Work(decisions=1000)])
    assert one == pytest.approx(8 * rates.LOAD_S + 1000 * rates.TURN_S + flop / (989e12 * rates.UTILISATION))
    assert rates.pretrained(preset("laptop")) is None


def test_a_student_of_the_catalogue_is_reckoned_before_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    student = rates.pretrained(preset("pretrained"))
    assert student is not None
    assert (student.weights, student.card, student.is_here) == (134_515_008, "cpu", False)
    assert "by the catalogue" in str(student)
    assert student.cores == preset("pretrained").resources.threads == 2
    assert student.rate == 2 * rates.CARDS["cpu"] * 1e12  # what a core does is measured: no share is taken off
    assert "2 cores of the" in str(student)


def test_a_student_whose_size_nothing_says_is_refused() -> None:
    paper = preset("paper", student={"path": "nobody/None-8B"})
    with pytest.raises(TeachableError, match="does not say how many weights"):
        rates.pretrained(preset("paper", student={"path": "nobody/None"}))
    with pytest.raises(TeachableError, match="A100"):
        rates.pretrained(paper, "abacus")


# --- store, teacher ---------------------------------------------------------------------------------------------------


@pytest.mark.workflow
def test_the_store_is_asked_and_never_guessed(jobs: list[Job], tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    nothing = plan.look_in_store(jobs, store)
    assert {there for states in nothing.values() for there in states} == {False}, "no record at all"
    makers = [job for job in jobs if job.place == "world/train/000"]
    (call,) = makers[0].calls
    outputs = {"games": tmp_path / "games", "tasks": tmp_path / "tasks.parquet"}
    outputs["games"].mkdir()
    outputs["tasks"].write_text("rows")
    store.publish(call.recipe(STAGES[call.stage]), outputs)
    (check,) = [job.calls[0] for job in jobs if job.place == "world/check_splits"]
    with_record = call.recipe(STAGES[call.stage])  # a record of that stage, of something else
    object.__setattr__(with_record, "stage", check.stage)
    store.publish(with_record, outputs)
    found = plan.look_in_store(jobs, store)
    assert found["world/train/000"] == [True]
    assert found["world/test/000"] == [False]
    assert found["world/check_splits"] == [None], "it reads games that are not there"
    assert plan.look_in_store(jobs, None)["world/train/000"] == [False]


@pytest.mark.workflow
def test_what_the_store_has_takes_no_time(jobs: list[Job], smoke: Config) -> None:
    (job,) = [job for job in jobs if job.place == "phase2/train/1"]
    whole = plan.expect(job, smoke, None, rates.Own())
    part = plan.expect(job, smoke, None, rates.Own(), [True] + [None] * (len(job.calls) - 1))
    none = plan.expect(job, smoke, None, rates.Own(), [True] * len(job.calls))
    assert whole.seconds > part.seconds > none.seconds == rates.RESTORE_S
    assert none.source == "store"


def test_dollars(tmp_path: Path) -> None:
    assert plan.teacher_cost(1000, preset("laptop"), None) is None
    paper = preset("paper", student={"path": "nobody/None-8B"})
    cost = plan.teacher_cost(1000, paper, None)
    assert cost is not None
    assert cost.usd == pytest.approx((1050 * 0.15 + 120 * 0.60) * 1100 / 1e6)
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    paid = {"event": "settle", "request": "a", "usd": 0.5, "prompt_tokens": 2000, "completion_tokens": 100}
    lost = {"event": "settle", "request": "b", "usd": 0.0}
    (ledger / "one.jsonl").write_text("\n".join(map(json.dumps, [{**paid, "event": "reserve"}, paid, lost])) + "\n{to")
    assert plan.spent(tmp_path) == plan.Spent(1, 2000, 100, 0.5)
    assert plan.teacher_cost(1000, paper, plan.spent(tmp_path)) == plan.Spent(
        1100, 2.2e6, 110_000, pytest.approx((2000 * 0.15 + 100 * 0.60) * 1100 / 1e6)
    )


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.mark.workflow
def test_plan_says_where_its_rates_are_from(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "--config", "preset=smoke", "--cores", "2"]) == 0
    said = capsys.readouterr().out
    assert "preset smoke" in said
    assert re.search(r"^phase1 .* reference$", said, re.MULTILINE)
    assert "results/benchmarks has no timings" in said
    assert "on 2 cores" in said
    assert "oracle" in said
    assert not (here / "results").exists()
    assert not (here / "store").exists()


@pytest.mark.workflow
def test_own_timings_are_rates(here: Path, smoke: Config, capsys: pytest.CaptureFixture[str]) -> None:
    results = a_run(here / "other", smoke, {"phase0/rollout-000": row(100.0, 40.0), "phase0/restore_check": "NA\t" * 9})
    assert cli.main(["plan", "phase0", "--config", "preset=smoke", "--like", str(results)]) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if line.startswith("phase0")]
    assert "own" in line
    assert re.search(r"reference x \d", line)
    assert "1 jobs in" in said
    assert "(1 that came from the store are left out)" in said
    assert "phase3" not in said


@pytest.mark.workflow
def test_costs_of_a_run_in_progress(here: Path, smoke: Config, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"phase0/rollout-000": row(100.0, 40.0), "phase1/label": row(2.0, 1.0), "world/train-000": "NA\t" * 9}
    results = a_run(here / "other", smoke, rows)
    log = here / "other/logs/phase1/label.log"
    log.parent.mkdir(parents=True)
    log.write_text("label: restored from the store\n")
    assert cli.main(["costs", str(results)]) == 0
    said = capsys.readouterr().out
    assert "1 jobs computed, 2 from the store" in said
    (line,) = [line.split() for line in said.splitlines() if line.startswith("phase0 ")]
    assert line[1:3] == ["1", "0"]
    assert "phase0/rollout/000" in said
    assert "not asked yet" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plan", "--config", "preset=smok"], "did you mean 'smoke'?"),
        (["plan", "--config", "preset=smoke", "training={epoch: 3}"], "did you mean 'epochs'"),
        (["plan", "--config", "training"], "--config: 'training' is not KEY=VALUE"),
        (["plan", "--config", "preset=smoke", "--card", "abacus"], "--card: 'abacus' is not in the table"),
        (["plan", "--config", "preset=smoke", "--like", "nowhere"], "--like nowhere: there are no timings"),
        (["plan", "--config", "preset=smoke", "--", "no_such_target"], "no_such_target"),
        (["plan", "--file", "nowhere.yaml"], "nowhere.yaml"),
        (["costs", "nowhere"], "nowhere/config.json is missing"),
    ],
)
def test_bad_input_is_one_sentence(
    here: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("teachable: ")
    assert len(shown.err.splitlines()) == 1
    assert expected in shown.err
    assert not shown.out


def test_without_a_workflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["plan", "--file", FILE, "--preset", "smoke"]) == 1
    assert "Snakefile is missing" in capsys.readouterr().err
    (tmp_path / "workflow_config.yaml").symlink_to(FILE)
    results = a_run(tmp_path, preset("smoke"), {})
    (results / "config.json").write_text('{"preset": "smoke", "seed": "many"}')
    assert cli.main(["costs"]) == 1
    assert "config.json: " in capsys.readouterr().err


def test_a_teacher_that_plays_is_planned_for_and_no_other_expert_is() -> None:
    prices = {"big": {"input": 1.0, "output": 10.0}}
    asked = {"source": "teacher", "teacher": {"model": "big"}}
    config = preset("smoke", teacher={"prices": prices}, expert=asked)
    warm = preset("smoke", teacher={"prices": prices, "temperature": 1.0}, expert=asked)
    call = Invocation("action-values", params={"shards": 2, "estimation": config.estimation.model_dump()})
    steps = work.length(config)
    assert work.questions(call, config) == pytest.approx((40 + 6) / 2 * (1 + steps))
    assert work.questions(call, warm) == pytest.approx((40 + 6) / 2 * (1 + 2 * steps))
    assert work.questions(call, preset("smoke")) == 0
    jobs = [Job("phase1/action_values/000", (call,)), Job("phase1/action_values/001", (call,))]
    cost = plan.expert_cost(jobs, config)
    assert cost
    assert cost.requests == pytest.approx(1.1 * (40 + 6) * (1 + steps))
    assert cost.usd == pytest.approx(cost.requests * (1050 * 1.0 + 20 * 10.0) / 1e6)
    half = plan.expert_cost(jobs, config, {jobs[0].place: [True], jobs[1].place: [None]})
    assert half
    assert half.requests == pytest.approx(cost.requests / 2)
    assert plan.expert_cost(jobs, preset("smoke")) is None
