"""The executor behind the store, on a real SLURM: what is queued, what is restored, and what survives trouble.

A toy flow of six jobs (wildcards, several outputs, a directory, logs, benchmarks) whose stages run through
the same parser, runner and store as the real ones. Skipped, with the reason, where no cluster can be started.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from workflow.workplace import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(480)]


PACKAGE = {
    "__init__.py": "",
    "table.py": """
        from pydantic import BaseModel
        from teachable.artifacts.catalogue import Artifact
        from teachable.artifacts.stage import Stage

        class Numbers(BaseModel):
            value: int = 0
            seconds: float = 0.0

        def stage(name, inputs, *outputs):
            made = {output: Artifact(output, name) for output in outputs}
            return Stage(name, f"toyflow.{name}", "", inputs, made, lambda: Numbers)

        STAGES = {stage.name: stage for stage in (
            stage("source", (), "text"),
            stage("model", ("text",), "weights", "record"),
            stage("report", ("records*", "weights*"), "site", "table"),
            stage("slow", (), "text"),
            stage("broken", (), "text"),
        )}
    """,
    "ledger.py": """
        import os
        def note(name):
            with open(os.environ["TOY_LEDGER"], "a") as file:
                file.write(name + "\\n")
    """,
    "source.py": """
        from toyflow.ledger import note
        def run(value, out):
            note("source")
            out["text"].write_text(f"source {value}\\n" * 100)
    """,
    "model.py": """
        from toyflow.ledger import note
        def run(text, value, out):
            note("model")
            read = text.read_text()
            out["weights"].mkdir()
            (out["weights"] / "part").mkdir()
            (out["weights"] / "part" / "w.bin").write_bytes(read.encode() * (1 + value))
            out["record"].write_text(str(len(read)))
    """,
    "report.py": """
        from toyflow.ledger import note
        def run(records, weights, out):
            note("report")
            out["site"].mkdir()
            for number, place in enumerate(weights):
                page = out["site"] / f"{number}.html"
                page.write_bytes((place / "part" / "w.bin").read_bytes()[:50])
            out["table"].write_text(",".join(path.read_text() for path in records))
    """,
    "slow.py": """
        import time
        from toyflow.ledger import note
        def run(seconds, out):
            note("slow")
            time.sleep(seconds)
            out["text"].write_text("slept")
    """,
    "broken.py": """
        from toyflow.ledger import note
        def run(out):
            note("broken")
            out["text"].write_text("half")
            raise RuntimeError("this stage always fails")
    """,
}

SNAKEFILE = """
    import json
    NAMES = ["a", "b"]
    LR = config.get("lr", {})
    rule all:
        input: "out/table.csv", "out/site"
    rule source:
        output: "out/{name}.txt"
        log: "logs/source_{name}.log"
        benchmark: "bench/source_{name}.tsv"
        params: settings=lambda w: json.dumps({"value": ord(w.name)})
        shell: "teachable source --out text={output} --params {params.settings:q} > {log} 2>&1"
    rule model:
        input: text="out/{name}.txt"
        output: weights=directory("out/model_{name}"), record="out/model_{name}.json"
        log: "logs/model_{name}.log"
        params: settings=lambda w: json.dumps({"value": int(LR.get(w.name, 1))})
        shell:
            "teachable model --in text={input.text} --out weights={output.weights} record={output.record} "
            "--params {params.settings:q} > {log} 2>&1"
    rule report:
        input: records=expand("out/model_{n}.json", n=NAMES), weights=expand("out/model_{n}", n=NAMES)
        output: site=directory("out/site"), table="out/table.csv"
        resources: gpu=1
        shell:
            "teachable report --in records={input.records} weights={input.weights} "
            "--out site={output.site} table={output.table} --params '{{}}'"
    rule slow:
        output: "out/slow.txt"
        params: settings=json.dumps({"seconds": float(config.get("seconds", 0))})
        shell: "teachable slow --out text={output} --params {params.settings:q}"
    rule broken:
        output: "out/broken.txt"
        shell: "teachable broken --out text={output} --params '{{}}'"
"""
JOBS = 5  # submissions of a cold run: two sources, two models, one report


class Flow:
    """The toy flow: clones of the working directory, one store, and a ledger of what was executed."""

    def __init__(self, root: Path, cluster: Path) -> None:
        self.root, self.cluster = root, cluster
        package = root / "lib" / "toyflow"
        package.mkdir(parents=True)
        for name, text in PACKAGE.items():
            (package / name).write_text(textwrap.dedent(text))
        program = root / "bin" / "teachable"
        program.parent.mkdir()
        program.write_text(
            f"#!{sys.executable}\n"
            "import sys\nfrom teachable.artifacts.commandline import parse_all\n"
            "from teachable.artifacts.runner import run_all\n"
            "from toyflow.table import STAGES\nrun_all(parse_all(sys.argv[1:]), STAGES)\n"
        )
        program.chmod(0o755)
        self.store = root / "store"
        self.ledger = root / "ledger"
        self.environment = {
            **os.environ,
            "PATH": f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(root / "lib"), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "TEACHABLE_STORE": str(self.store),
            "TOY_LEDGER": str(self.ledger),
        }

    def clone(self, name: str) -> Path:
        directory = self.root / name
        directory.mkdir()
        (directory / "Snakefile").write_text(textwrap.dedent(SNAKEFILE))
        return directory

    def command(self, *arguments: str) -> list[str]:
        return [
            *(
                sys.executable,
                "-m",
                "snakemake",
                "--executor",
                "teachable",
                "--jobs",
                "20",
                "--latency-wait",
                "10",
            ),
            *(
                "--scheduler",
                "greedy",
                "--teachable-stages",
                "toyflow.table:STAGES",
                "--teachable-no-account",
            ),
            *("--teachable-status-command", "squeue", "--teachable-init-seconds-before-status-checks", "1"),
            *(
                "--teachable-no-requeue",
                "--teachable-partition-config",
                str(self.cluster / "partitions.yaml"),
            ),
            *("--teachable-max-seconds-between-status-checks", "1"),
            *("--default-resources", "mem_mb=200", "runtime=5", *arguments),
        ]

    def start(self, clone: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=clone,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, clone: Path, *arguments: str, fails: bool = False, **environment: str) -> tuple[int, int]:
        """(submissions, executions) of one run."""
        before = len(self.executed())
        process = self.start(clone, *arguments, **environment)
        output, _ = process.communicate(timeout=240)
        assert (process.returncode != 0) == fails, output[-4000:]
        (clone / "driver.log").write_text(output)
        return output.count("has been submitted with SLURM jobid"), len(self.executed()) - before

    def executed(self) -> list[str]:
        return self.ledger.read_text().split() if self.ledger.exists() else []


@pytest.fixture(scope="module")
def flow(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return Flow(tmp_path_factory.mktemp("flow"), cluster)


@pytest.fixture(scope="module")
def cold(flow: Flow) -> Path:
    """A clone in which the flow ran on an empty store."""
    clone = flow.clone("cold")
    assert flow.run(clone) == (JOBS, JOBS)
    return clone


def contents(clone: Path) -> dict[str, str]:
    out = clone / "out"
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(".snakemake")
    }


def test_a_fresh_clone_submits_nothing_and_gets_the_same_bytes(flow: Flow, cold: Path) -> None:
    warm = flow.clone("warm")
    started = time.monotonic()
    assert flow.run(warm) == (0, 0)
    assert time.monotonic() - started < 20  # the last poll interval is not waited for
    assert contents(warm) == contents(cold)
    assert len(contents(warm)) == 2 + 2 * 2 + 2 + 1
    assert "5 jobs restored" in (warm / "driver.log").read_text()
    assert (warm / "bench" / "source_a.tsv").read_text().splitlines()[1].startswith("NA\t")
    assert "restored" in (warm / "logs" / "source_a.log").read_text()
    # Snakemake's metadata are as after any run: parameters and code count as unchanged
    again = flow.start(warm, "--dry-run").communicate(timeout=60)[0]
    assert "Nothing to be done" in again


def test_one_parameter_reruns_its_dependants_and_back_is_free(flow: Flow, cold: Path) -> None:
    clone = flow.clone("params")
    assert flow.run(clone) == (0, 0)
    assert flow.run(clone, "--config", "lr={a: 7}") == (2, 2)
    assert flow.run(clone) == (0, 0)
    assert contents(clone) == contents(cold)


def test_damage_is_noticed_recomputed_and_healed(flow: Flow, cold: Path) -> None:
    for path in sorted((flow.store / "objects").rglob("*")):
        if path.is_file():
            path.chmod(0o644)
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(bytes(data))
    clone = flow.clone("damaged")
    submitted, executed = flow.run(clone)
    assert submitted == executed == JOBS
    assert contents(clone) == contents(cold)
    healed = flow.clone("healed")
    assert flow.run(healed) == (0, 0)
    assert contents(healed) == contents(cold)


def test_forced_jobs_are_computed_on_the_node_too(flow: Flow, cold: Path) -> None:
    clone = flow.clone("forced")
    assert flow.run(clone, "--forcerun", "source", "--", "out/a.txt") == (1, 1)
    assert flow.run(clone, "--forceall", "--", "out/a.txt") == (1, 1)
    assert flow.run(clone, "--", "out/b.txt") == (0, 0)


def test_switched_off_it_is_the_plain_executor(flow: Flow, cold: Path) -> None:
    before = sorted(flow.store.rglob("*"))
    assert flow.run(flow.clone("off"), "--", "out/a.txt", TEACHABLE_STORE="off") == (1, 1)
    assert sorted(flow.store.rglob("*")) == before


def test_a_failing_stage_publishes_nothing_and_leaves_nothing(flow: Flow, cold: Path) -> None:
    clone = flow.clone("failing")
    assert flow.run(clone, "--retries", "1", "--", "out/broken.txt", fails=True) == (2, 2)
    assert not (flow.store / "records" / "broken").exists()
    assert not (clone / "out" / "broken.txt").exists()


@pytest.mark.parametrize("jobs", ["1", "20"])
def test_members_of_an_array_that_come_one_by_one_are_submitted(flow: Flow, cold: Path, jobs: str) -> None:
    """With one job at a time the plugin alone waits for the second member for ever; with more there are arrays."""
    clone = flow.clone(f"array{jobs}")
    _, executed = flow.run(clone, "--jobs", jobs, "--teachable-array-jobs", "all", TEACHABLE_STORE="off")
    assert executed == JOBS
    assert contents(clone) == contents(cold)


def test_settings_of_the_other_executor_are_refused(flow: Flow) -> None:
    clone = flow.clone("misplaced")
    flow.run(clone, "--slurm-no-account", fails=True)
    assert "--teachable-no-account" in (clone / "driver.log").read_text()
    profile = clone / "site"
    profile.mkdir()
    (profile / "config.yaml").write_text("slurm-qos: long\n")
    flow.run(clone, "--profile", "site", fails=True)
    assert "--teachable-qos" in (clone / "driver.log").read_text()


def test_two_drivers_at_once_agree(flow: Flow, cold: Path) -> None:
    first, second = flow.clone("first"), flow.clone("second")
    config = ("--config", "lr={a: 3, b: 4}")
    drivers = [flow.start(clone, *config) for clone in (first, second)]
    outputs = [driver.communicate(timeout=240)[0] for driver in drivers]
    assert all(driver.returncode == 0 for driver in drivers), outputs
    assert contents(first) == contents(second)
    assert flow.run(flow.clone("third"), *config) == (0, 0)


def test_an_interrupted_driver_cancels_its_job(flow: Flow, cold: Path) -> None:
    clone = flow.clone("cancelled")
    driver = flow.start(clone, "--config", "seconds=120", "--", "out/slow.txt")
    wait_until(lambda: "slow" in flow.executed(), 60)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=60)
    wait_until(lambda: not subprocess.check_output(["squeue", "-h"], text=True).strip(), 60)
    assert not (flow.store / "records" / "slow").exists()
    assert flow.run(clone, "--rerun-incomplete", "--", "out/slow.txt") == (1, 1)


def test_a_driver_killed_while_restoring_is_resumed(flow: Flow, cold: Path) -> None:
    clone = flow.clone("killed")
    driver = flow.start(clone)
    wait_until(lambda: (clone / "out").exists() or driver.poll() is not None, 60)
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=60)
    subprocess.run(flow.command("--unlock"), cwd=clone, env=flow.environment, check=True, capture_output=True)
    assert flow.run(clone, "--rerun-incomplete") == (0, 0)
    assert contents(clone) == contents(cold)


def test_what_a_killed_driver_left_unfinished_comes_from_the_store(flow: Flow, cold: Path) -> None:
    clone = flow.clone("unfinished")
    assert flow.run(clone) == (0, 0)
    for output in ("out/a.txt", "out/b.txt"):  # as if the driver had died before it noted them
        name = base64.b64encode(output.encode()).decode()
        (clone / ".snakemake" / "metadata" / name).unlink()
        (clone / ".snakemake" / "incomplete" / name).touch()
    assert flow.run(clone, "--rerun-incomplete") == (0, 0)
    assert "reason: Forced execution" in (clone / "driver.log").read_text()
    assert flow.run(clone, "--rerun-incomplete", "--forcerun", "out/a.txt", "--", "out/a.txt") == (1, 1)


def test_a_lost_node_costs_one_attempt(flow: Flow, cold: Path, cluster: Path) -> None:
    clone = flow.clone("lost")
    before = flow.executed().count("slow")
    driver = flow.start(clone, "--config", "seconds=8", "--retries", "1", "--", "out/slow.txt")
    wait_until(lambda: flow.executed().count("slow") > before, 60)
    node = subprocess.check_output(["squeue", "-h", "-t", "R", "-o", "%N"], text=True).split()[0]
    daemon = int((cluster / f"slurmd-{node}.pid").read_text())
    job = subprocess.check_output(["squeue", "-h", "-t", "R", "-o", "%A"], text=True).split()[0]
    for process in [daemon, *steps(job)]:
        os.kill(process, signal.SIGKILL)
    try:
        output, _ = driver.communicate(timeout=200)
        assert driver.returncode == 0, output[-3000:]
        assert output.count("has been submitted with SLURM jobid") == 2
        assert (clone / "out" / "slow.txt").read_text() == "slept"
    finally:
        subprocess.run(["slurmd", "-N", node], check=True)


def test_the_table_of_partitions_sends_gpu_jobs_to_gpus(flow: Flow, cold: Path) -> None:
    log = (cold / "driver.log").read_text()
    assert "partition 'gpu' for job report" in log
    assert "partition 'cpu' for job source" in log


def test_array_jobs_hold_what_the_store_has_not(flow: Flow, cold: Path) -> None:
    def run(name: str, **rates: int) -> tuple[bool, int]:
        """Whether there was an array; executions."""
        clone = flow.clone(name)
        values = ", ".join(f"{model}: {rate}" for model, rate in rates.items())
        arguments = (
            "--teachable-array-jobs",
            "all",
            "--config",
            f"lr={{{values}}}",
            "--",
            "out/model_a",
            "out/model_b",
        )
        _, executed = flow.run(clone, *arguments)
        return "Submitted array job" in (clone / "driver.log").read_text(), executed

    assert run("array", a=5, b=5) == (True, 2)
    assert run("half an array", a=5, b=6) == (False, 1)  # one model is restored: what is left is no array


def test_status_counts_what_was_saved(flow: Flow, cold: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "teachable.cli", "store", "status", "--json"],
        env=flow.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    status = json.loads(done.stdout)
    assert status["records"]["source"] == 2
    assert status["events"]["published"] >= JOBS


def steps(job: str) -> list[int]:
    """Processes of a SLURM job: its step daemons and everything below them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"SLURM_JOB_ID={job}".encode() in environment or command.startswith(f"slurmstepd: [{job}.".encode()):
                found.append(int(entry.name))
    return found
