"""Java machines: one sentence where there is none, an EngineFault where one dies or hangs, and nothing else suffers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import configured
import pytest

from teachable.config.load import ConfigError
from teachable.workflow.configuration import configuration
from teachable.worlds import EngineFault, WorldError, get_world
from teachable.worlds.java import Machine, find_java, require

RAW = {**configured.RAW, "override": {"world": {"name": "textworld_express"}}}


def test_no_java_is_one_sentence_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(WorldError, match=r"world 'w' needs Java, .*apt-get install default-jre-headless"):
        find_java("w")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(WorldError, match=r"JAVA_HOME is .*jdk, where there is no bin/java"):
        find_java("w")


def test_no_package_is_one_sentence_with_the_remedy():
    with pytest.raises(WorldError, match=r"needs the package no-such-world.*pip install 'teachable-moments\[no-such"):
        require("w", "no-such-world")


def test_java_home_comes_first(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java("w") == str(program)


@pytest.mark.parametrize("lacking", ["java", "package"])
def test_what_is_missing_stops_before_any_job(java, monkeypatch, tmp_path, lacking):
    assert configuration(RAW, preset="smoke")[1].name == "textworld_express"
    if lacking == "java":
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("JAVA_HOME", raising=False)
    else:

        def absent(name: str) -> str:
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(ConfigError, match=r"world.name: world 'textworld_express' needs .* install"):
        configuration(RAW, preset="smoke")


def test_a_java_that_does_not_start_is_a_fault(java, monkeypatch, tmp_path):
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho broken\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(EngineFault, match=f"{program} does not start"):
        Machine("w", Path("no.jar"), 5.0)


def _machine(session):
    return session._engine._machine


def test_a_machine_that_dies_is_a_fault_and_other_sessions_go_on(express):
    one, other = (express.world.start(task, express.root) for task in express.of("easy"))
    other.step("read cookbook")
    here, advice = other.state, other.expert_command()
    assert _machine(one) is _machine(other)
    os.kill(_machine(one).process.pid, signal.SIGKILL)
    _machine(one).process.wait()
    with pytest.raises(EngineFault, match=f"{one.task.task_id}: .*ended unexpectedly"):
        one.step("read cookbook")
    assert other.state == here
    other.step(advice)
    while not other.state.done:
        other.step(other.expert_command())
    assert other.state.won
    assert one.step("read cookbook").memo  # it comes back, too


def test_a_machine_that_hangs_is_stopped(express):
    world = get_world("textworld_express", turn_limit_s=1.0)
    session = world.start(express.of("sorting")[0], express.root)
    process = _machine(session).process
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(EngineFault, match=f"{session.task.task_id}: .*did not answer within 1 s"):
        session.step(session.state.commands[0])
    assert time.monotonic() - began < 6
    assert process.poll() is not None


def test_a_damaged_or_missing_file_is_told(express, tmp_path):
    task = replace(express.of("easy")[0], game="game.json")
    with pytest.raises(WorldError, match="is missing"):
        express.world.start(task, tmp_path)
    for text in ("{", "[]", '{"solution": 3}', '{"solution": [], "family": "chess"}'):
        (tmp_path / "game.json").write_text(text)
        with pytest.raises(EngineFault, match="is damaged"):
            express.world.start(task, tmp_path)


def test_a_closed_session_says_so(express):
    session = express.world.start(express.of("coin")[0], express.root)
    saved = session.save()
    session.close()
    session.close()
    for action in (lambda: session.step(session.state.commands[0]), lambda: session.restore(saved)):
        with pytest.raises(EngineFault, match=f"{session.task.task_id}.*closed"):
            action()


def test_no_machine_outlives_its_process(java):
    code = (
        "import sys; from pathlib import Path; from teachable.worlds.textworld_express.engine import Engine\n"
        "engine = Engine('sorting', {}, 'train', 5); engine.start(); print(engine._machine.process.pid, flush=True)\n"
        "import os; os._exit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    deadline = time.monotonic() + 10
    while Path(f"/proc/{done.stdout.strip()}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{done.stdout.strip()}").exists()
