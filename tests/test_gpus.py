"""A GPU is held by one process at a time, and comes free however the process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from teachable.artifacts.gpus import ENVIRONMENT, GpuError, configured, reserve

CHILD = """
import sys, time
from pathlib import Path
from teachable.artifacts.gpus import reserve
import os
with reserve(int(sys.argv[2]), timeout=20, locks=Path(sys.argv[1])) as held:
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(held)
    print(",".join(held), flush=True)
    time.sleep(float(sys.argv[3]))
    print("released", flush=True)
"""


def child(locks: Path, count: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(locks), str(count), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_without_the_variable_nothing_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    with reserve(1, locks=tmp_path) as held:
        assert held == ()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
    assert list(tmp_path.iterdir()) == []


def test_every_process_has_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT, "0, 1,GPU-ab/cd")
    children = [child(tmp_path, 1, 3) for _ in range(3)]
    assert {line(process) for process in children} == {"0", "1", "GPU-ab/cd"}
    with pytest.raises(GpuError, match="came free"), reserve(1, timeout=0.1, locks=tmp_path):
        pass
    for process in children:
        process.wait()
    with reserve(3, timeout=5, locks=tmp_path) as held:
        assert len(held) == 3
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,GPU-ab/cd"


def test_a_killed_process_holds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT, "0")
    first = child(tmp_path, 1, 60)
    assert line(first) == "0"
    second = child(tmp_path, 1, 0)
    time.sleep(0.5)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert line(second) == "0"
    second.wait()


def test_waiters_for_several_do_not_block_each_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT, "0,1,2")
    children = [child(tmp_path, 2, 0.2) for _ in range(3)]
    for process in children:
        assert len(line(process).split(",")) == 2
        assert line(process) == "released"
        process.wait()


def test_mistakes_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ENVIRONMENT, "0,1")
    with pytest.raises(GpuError, match="3 GPUs asked for"), reserve(3, locks=tmp_path):
        pass
    monkeypatch.setenv(ENVIRONMENT, "all")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GpuError, match="no nvidia-smi"):
        configured()
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    assert configured() == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert configured() == ("4", "5")
