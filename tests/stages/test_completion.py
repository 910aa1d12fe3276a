"""What a shell completes, asked of a real one."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

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


@pytest.fixture
def printed(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """What is printed for the shell that the test names, in a file."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    assert main(["completion", request.param]) == 0
    path = tmp_path / "script"
    path.write_text(capsys.readouterr().out)
    return path


@pytest.mark.parametrize("printed", ["fish"], indirect=True)
def test_fish_offers_a_stage(printed: Path) -> None:
    asked = "source script; complete -C 'teachable rollo'; complete -C 'teachable completion f'"
    done = subprocess.run(["fish", "-c", asked], cwd=printed.parent, capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["rollout", "fish"], "")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("printed", ["zsh"], indirect=True)
@pytest.mark.parametrize("before", ["", "autoload -U compinit && compinit -u -d dump"])
def test_zsh_completes_a_stage(printed: Path, before: str) -> None:
    """At a terminal, with the Tab key, with and without a completion system that is set up already."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "HOME": str(printed.parent)}
    shell = subprocess.Popen(
        ["zsh", "-fi"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=printed.parent, env=environment
    )
    os.close(theirs)
    try:
        for line in (before, 'eval "$(cat script)"', "teachable() { echo called: $1 }", "echo rea''dy"):
            os.write(ours, f"{line}\n".encode())
        until(ours, "ready")
        os.write(ours, b"teachable rollo\t\n")
        assert "called: rollout" in until(ours, "called: \\w+")
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


def until(terminal: int, pattern: str) -> str:
    """What a terminal shows, up to something; the test's time is the limit."""
    said = ""
    while not re.search(pattern, said):
        said += os.read(terminal, 4096).decode("utf-8", "replace")
    return said
