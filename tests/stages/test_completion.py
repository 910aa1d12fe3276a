"""What a shell completes, asked of a real one."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from teachable.cli import COMMANDS, main
from teachable.cli_completion import SHELLS
from teachable.export import KINDS
from teachable.stages import STAGES


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", "bash"]) == 0
    return capsys.readouterr().out


def offered(script: str, *words: str) -> list[str]:
    """What bash offers for the last of ``words``, the program's own name left out."""
    typed = " ".join(repr(word) for word in words)
    line = f"{script}\nCOMP_WORDS=(teachable {typed}); COMP_CWORD={len(words)}; _teachable"
    done = subprocess.run(["bash", "-c", f'{line}; printf "%s\\n" "${{COMPREPLY[@]}}"'], capture_output=True, text=True)
    assert not done.stderr
    return done.stdout.split()


def test_bash_offers_stages_and_commands(script: str) -> None:
    assert set(offered(script, "")) == {*STAGES, *COMMANDS, "--help", "--version"}
    assert offered(script, "roll") == ["rollout"]
    assert offered(script, "evaluate", "--pa") == ["--params"]


def test_bash_offers_what_a_command_takes(script: str) -> None:
    assert {"verify", "gc", "explain"} <= set(offered(script, "store", ""))
    assert set(KINDS) < set(offered(script, "export", ""))
    assert offered(script, "plan", "--ca") == ["--card"]
    assert offered(script, "nothing", "") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_can_read_its_own(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "rollout" in script
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    read = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    assert (read.returncode, read.stderr) == (0, "")
