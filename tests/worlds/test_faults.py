"""Trouble of the engine is an EngineFault that names the task, and nothing else suffers."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import time

import numpy as np
import pytest

from teachable.worlds import EngineFault, MemoSession, get_world
from teachable.worlds.textworld.engine import _Host


@pytest.fixture
def broken(games, tmp_path):
    """A copy of one task's files, to be damaged."""
    task = games.of("easy")[0]
    story = tmp_path / task.game
    story.parent.mkdir(parents=True)
    for suffix in (".z8", ".json"):
        shutil.copy((games.root / task.game).with_suffix(suffix), story.with_suffix(suffix))
    return task, story, tmp_path


def _patch(story, code: bytes) -> None:
    """Overwrite the first instruction and mend the checksum, so that the file looks whole."""
    data = bytearray(story.read_bytes())
    start = struct.unpack(">H", data[6:8])[0]
    data[start : start + len(code)] = code
    length = struct.unpack(">H", data[0x1A:0x1C])[0] * 8
    total = int(np.frombuffer(bytes(data), np.uint8)[0x40:length].sum(dtype=np.int64)) & 0xFFFF
    data[0x1C:0x1E] = struct.pack(">H", total)
    story.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "torn"),
        (lambda data: data[:70000] + bytes([data[70000] ^ 0xFF]) + data[70001:], "damaged"),
        (lambda data: b"", "not a version 8 story"),
        (lambda data: b"\x05" + data[1:], "not a version 8 story"),
    ],
)
def test_damaged_story_files_are_faults_before_they_are_run(games, broken, damage, message):
    task, story, root = broken
    story.write_bytes(damage(story.read_bytes()))
    with pytest.raises(EngineFault, match=f"{task.task_id}.*{message}"):
        games.world.start(task, root)


def test_damaged_metadata_is_a_fault(games, broken):
    task, story, root = broken
    story.with_suffix(".json").write_text('{"KB": ')
    with pytest.raises(EngineFault, match="damaged"):
        games.world.start(task, root)


def test_an_illegal_instruction_is_a_fault(games, broken):
    task, story, root = broken
    _patch(story, b"\x00\x00\x00")
    with pytest.raises(EngineFault, match=f"{task.task_id}.*halted due to runtime error"):
        games.world.start(task, root)
    assert games.world.start(task, games.root).state.commands


def _machines() -> set[int]:
    """Processes of the machines of this process (children of its host)."""
    host = _Host._current._process.pid
    with open(f"/proc/{host}/task/{host}/children") as children:
        return set(map(int, children.read().split()))


def test_a_crash_of_the_interpreter_is_a_fault(games):
    task = games.of("easy")[0]
    other = games.world.start(task, games.root)
    before = _machines()
    session = games.world.start(task, games.root)
    [machine] = _machines() - before
    os.kill(machine, signal.SIGSEGV)
    with pytest.raises(EngineFault, match=f"{task.task_id}.*ended unexpectedly at 'examine cookbook'"):
        session.step("examine cookbook")
    with pytest.raises(EngineFault, match="closed"):
        session.step("examine cookbook")
    assert other.step("examine cookbook").memo


def test_closed_and_forgotten_sessions_end_their_machines(games):
    task = games.of("easy")[0]
    kept = games.world.start(task, games.root)
    before = _machines()
    closed, forgotten = (games.world.start(task, games.root) for _ in range(2))
    assert len(_machines()) == len(before) + 2
    closed.close()
    del forgotten
    deadline = time.monotonic() + 20
    while _machines() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _machines() - before
    kept.close()


def test_an_interpreter_that_hangs_is_stopped(broken):
    task, story, root = broken
    _patch(story, b"\x8c\xff\xff")  # jump to itself
    began = time.monotonic()
    with pytest.raises(EngineFault, match=f"{task.task_id}.*more than 0.5 s.*stopped"):
        get_world("textworld", turn_limit_s=0.5).start(task, root)
    assert time.monotonic() - began < 8


def test_one_fault_leaves_other_sessions_alone(games, broken):
    task, story, root = broken
    ours = games.world.start(games.of("medium")[0], games.root)
    _patch(story, b"\x00\x00\x00")
    with pytest.raises(EngineFault):
        games.world.start(task, root)
    while not ours.state.done:
        ours.step(ours.expert_command())
    assert ours.state.won


def test_a_host_that_was_killed_is_replaced(games):
    task = games.of("easy")[0]
    before = games.world.start(task, games.root)
    os.kill(_Host._current._process.pid, signal.SIGKILL)
    _Host._current._process.wait()
    after = games.world.start(task, games.root)
    command = before.expert_command()
    assert before.step(command) == after.step(command)


def test_story_and_metadata_of_different_games_are_noticed(games, broken):
    task, story, root = broken
    shutil.copy(games.root / games.of("hard")[0].game, story)
    with pytest.raises(EngineFault, match=f"{task.task_id}.*does not belong"):
        games.world.start(task, root)


def test_a_closed_session_says_so(games):
    task = games.of("easy")[0]
    session = games.world.start(task, games.root)
    saved = session.save()
    session.close()
    session.close()
    for action in (lambda: session.step("open fridge"), lambda: session.restore(saved), session.save):
        with pytest.raises(EngineFault, match=f"{task.task_id}.*closed"):
            action()


def test_a_fault_in_a_session_that_remembers_is_not_remembered(games):
    task = games.of("easy")[0]
    inner = games.world.start(task, games.root)
    memo = MemoSession(inner)
    begin, command = memo.save(), memo.expert_command()
    known = memo.step(command)
    memo.restore(begin)
    other = next(c for c in memo.state.commands if c != command)
    inner._engine.close()
    with pytest.raises(EngineFault):
        memo.step(other)
    assert memo.state == begin.state
    assert memo.step(command) == known
