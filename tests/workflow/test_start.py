"""What is said and asked before the first job of a run."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from teachable.artifacts.commandline import parse_shell
from teachable.artifacts.store import Store
from teachable.cli_help import example
from teachable.config import Config
from teachable.errors import TeachableError
from teachable.stages import STAGES
from teachable.workflow.configuration import shipped
from teachable.workflow.plan import Expected, Job, expert_cost, jobs_of
from teachable.workflow.start import Declined, Plan, above, ask, at_start, without_effect
from workflow.test_plan import preset
from workflow.workplace import BIN, ROOT

Asking = Callable[..., object]


def planned(core_hours: float, *, cores: int = 2, gpus: int = 0, usd: float = 0.0, disk: float = 0.0) -> Plan:
    job = Expected(Job("phase0/rollout/000", ()), 3600 * core_hours / cores, cores, gpus, "reference")
    return Plan([job], 0, usd, disk, on_paper=False)


def limits(**own: object) -> Config:
    everything = {"core_hours": None, "gpu_hours": None, "usd": None, "disk_gb": None, "unanswered": "go", **own}
    return preset("laptop", ask_above=everything)


def test_the_line_names_minutes_where_cores_are_known() -> None:
    plan = planned(1.0, cores=1)
    assert at_start(plan, 2) == (
        "plan: about 1.00 core-hours, 60 minutes on 2 cores, at reference rates and with nothing from the store; "
        "`teachable plan` tells more"
    )
    assert "1.00 core-hours, at reference rates" in at_start(plan, None)  # a cluster
    restored = Plan(plan.jobs, 1, 0.0, 0.0, on_paper=True)
    assert "on paper and with 1 of 1 jobs from the store" in at_start(restored, 2)


def test_a_student_of_unknown_size_has_no_plan() -> None:
    with pytest.raises(TeachableError, match="does not say how many weights"):
        Plan.of([], preset("paper", student={"path": "nobody/None"}), None)


@pytest.mark.parametrize(
    ("own", "plan", "phrase"),
    [
        ({"core_hours": 9.5}, planned(10), "10.0 core-hours (ask_above.core_hours: 9.5)"),
        ({"gpu_hours": 4}, planned(10, gpus=1), "5.0 GPU-hours (ask_above.gpu_hours: 4)"),
        ({"usd": 0.5}, planned(1, usd=0.75), "0.8 USD for the teacher (ask_above.usd: 0.5)"),
        ({"disk_gb": 2}, planned(1, disk=3e9), "3.0 GB of disk (ask_above.disk_gb: 2)"),
    ],
)
def test_each_limit(own: dict[str, float], plan: Plan, phrase: str) -> None:
    assert above(plan, limits(**own)) == [phrase]
    assert above(plan, limits()) == []
    (name,) = own
    assert above(plan, limits(**{name: 1000})) == []


def line_of(stage: str, place: str) -> str:
    return f"{example(STAGES[stage], shipped())} > logs/{place}.log 2>&1"


def publish(store: Store, line: str, place: Path) -> None:
    """Put something into the store as if the job of that line had made it."""
    (call,) = parse_shell(line, STAGES)
    outputs = {name: place / name for name in call.outputs}
    for path in outputs.values():
        path.mkdir(parents=True)
    store.publish(call.recipe(STAGES[call.stage]), outputs)


def test_what_the_store_has_is_not_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store, config = Store(tmp_path / "store"), preset("laptop")
    games, student = line_of("make-tasks", "world/train/000"), line_of("link-student", "student/link")
    before = Plan.of([games, student], config, store)
    assert before.restored == 0
    publish(store, games, tmp_path / "games")
    after = Plan.of([games, student], config, store)
    assert (after.restored, after.jobs[0].source) == (1, "store")
    assert after.core_hours < before.core_hours
    assert Plan.of([games, student], config, None).core_hours == before.core_hours  # -F


def test_dollars_of_a_teacher_that_plays_count_where_the_oracle_advises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = line_of("action-values", "phase1/action_values/000")
    prices = {"big": {"input": 1.0, "output": 10.0}}
    playing = preset("laptop", teacher={"prices": prices}, expert={"source": "teacher", "teacher": {"model": "big"}})
    cost = expert_cost(jobs_of([line]), playing)
    assert cost
    assert Plan.of([line], playing, None).usd == cost.usd > 0
    assert above(Plan.of([line], playing, None), limits(usd=cost.usd / 2))
    assert Plan.of([line], preset("laptop"), None).usd == 0


def test_the_machine_is_looked_at_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the student runs on is in its key, and asking for it loads the libraries of models."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "store")
    line = line_of("link-student", "student/link")
    (call,) = parse_shell(line, STAGES)
    for paths in call.inputs.values():
        for path in paths:
            path.mkdir(parents=True)
    publish(store, line, tmp_path / "made")
    code = (
        "import sys; from pathlib import Path; from teachable.artifacts.store import Store; "
        "from teachable.workflow.configuration import shipped; from teachable.workflow.start import Plan\n"
        "plan = Plan.of([sys.argv[1]], shipped(), Store(Path(sys.argv[2])))\n"
        "print(plan.restored, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, line, str(store.root)], capture_output=True, text=True)
    assert done.stdout.split() == ["1", "False"], done.stderr


def asked(plan: Plan, config: Config, answer: str | None, *, at_terminal: bool = True) -> list[str]:
    """What is said, the question last."""
    said: list[str] = []

    def reply(question: str) -> str:
        said.append(question)
        if answer is None:
            raise EOFError
        return answer

    ask(plan, config, said.append, at_terminal=at_terminal, answer=reply)
    return said


def test_at_a_terminal_somebody_is_asked() -> None:
    for answer in ("y", "Yes "):
        said = asked(planned(10), limits(core_hours=1), answer)
        assert said == ["This run plans 10.0 core-hours (ask_above.core_hours: 1).", "Go on? [y/N] "]
    for no in ("", "n", "what", None):
        with pytest.raises(Declined, match="the answer was no: nothing was run"):
            asked(planned(10), limits(core_hours=1), no)
    assert asked(planned(10), limits(core_hours=11), "n") == []


def test_elsewhere_a_sentence_and_a_stop_only_if_wanted() -> None:
    (said,) = asked(planned(10), limits(core_hours=1), None, at_terminal=False)
    assert "it goes on" in said
    with pytest.raises(Declined, match=re.escape("set ask_above.unanswered to go")):
        asked(planned(10), limits(core_hours=1, unanswered="stop"), None, at_terminal=False)


def test_no_preset_on_a_laptop_asks_and_paper_does() -> None:
    assert above(planned(0.7, disk=4e8), preset("laptop")) == []
    assert above(planned(588, cores=8, gpus=1, usd=0.91), preset("paper", student={"path": "nobody/None-8B"}))


# --- the real Snakefile -----------------------------------------------------------------------------------------------


def command(place: Path, *asking: str) -> list[str]:
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(place),
        "--cores", "1", "--config", "preset=smoke", f"ask_above={{{', '.join(asking)}}}", "--", "results/config.json",
    ]  # fmt: skip


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TEACHABLE_STORE": str(place / "store")}


@pytest.mark.workflow
def test_a_method_of_deployment_that_sets_up_nothing_is_said(tmp_path: Path) -> None:
    assert without_effect([]) == ""
    words = command(tmp_path, "core_hours: 100")
    words[words.index("--cores") : words.index("--cores")] = ["--sdm", "conda"]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment(tmp_path))
    assert "--sdm conda sets up nothing: no rule has an environment of its own" in done.stderr  # with or without conda


@pytest.mark.workflow
def test_a_run_that_nobody_watches_stops_or_goes_on(tmp_path: Path) -> None:
    def run(*asking: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(tmp_path, *asking),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment(tmp_path),
        )

    stopped = run("core_hours: 0.0001", "unanswered: stop")
    assert stopped.returncode == 1
    assert "(ask_above.core_hours: 0.0001), and nobody is at a terminal" in stopped.stderr
    assert not (tmp_path / "results/config.json").exists()
    gone = run("core_hours: 0.0001")
    assert gone.returncode == 0, gone.stderr
    assert "it goes on, for nobody is at a terminal" in gone.stderr
    assert "progress: 100% of the expected time, 1 of 1 jobs" in gone.stderr
    assert "steps (100%) done" not in gone.stderr


@pytest.mark.workflow
@pytest.mark.parametrize(("answer", "status"), [("n", 1), ("y", 0)])
def test_a_run_at_a_terminal_asks(tmp_path: Path, answer: str, status: int) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        command(tmp_path, "core_hours: 0.0001"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(tmp_path)
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert child.wait() == status
    assert b"Go on? [y/N]" in said
    assert (tmp_path / "results/config.json").exists() == (status == 0)
    assert (b"the answer was no" in said) == (status == 1)
