"""Many writers, crashes and torn lines: no answer and no cent gets lost."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from teachable.teacher.cache import RequestCache, request_key
from teachable.teacher.errors import BudgetExceeded, TeacherError
from teachable.teacher.ledger import Ledger

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "é\n"}]}


def _write_many(directory: str, writer: int) -> list[str]:
    cache = RequestCache(directory)
    return [cache.put(request_key({"n": n}), {"n": n}, f"answer {n} of {writer}") for n in range(30)]


def test_users_share_what_was_paid_whatever_their_umask(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    root.mkdir()
    root.chmod(0o2775)
    umask = os.umask(0o077)
    try:
        RequestCache(root).put(request_key(REQUEST), REQUEST, "paid")
        Ledger(root, 1.0).reserve(0.1)
    finally:
        os.umask(umask)
    assert {path.stat().st_mode & 0o7777 for path in root.rglob("*") if path.is_dir()} == {0o2775}
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*.json*")} == {0o644}


def test_a_ledger_that_may_not_be_read_stops_the_spending(tmp_path: Path) -> None:
    Ledger(tmp_path, 1.0).reserve(0.1)
    (tmp_path / "ledger" / "closed.jsonl").mkdir()  # as unreadable as a file of mode 0, for the superuser as well
    with pytest.raises(TeacherError, match=r"closed\.jsonl cannot be read.*teacher\.cache"):
        Ledger(tmp_path, 1.0).reserve(0.1)


def _spend(directory: str, requests: int) -> int:
    ledger = Ledger(directory, budget_usd=1.0)
    done = 0
    for _ in range(requests):
        try:
            ledger.settle(ledger.reserve(0.1), 0.1)
        except BudgetExceeded:
            break
        done += 1
    return done


def test_the_key_depends_on_content_and_not_on_order() -> None:
    assert request_key(REQUEST) == request_key(dict(reversed(REQUEST.items())))
    assert request_key(REQUEST) != request_key({**REQUEST, "model": "n"})


def test_writers_in_many_processes_agree_on_the_first_answer(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        answers = pool.starmap(_write_many, [(str(tmp_path), writer) for writer in range(3)])
    assert answers[0] == answers[1] == answers[2]
    cache = RequestCache(tmp_path)
    assert [cache.get(request_key({"n": n})) for n in range(30)] == answers[0]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_corrupt_first_answer_gives_way(tmp_path: Path) -> None:
    cache, key = RequestCache(tmp_path), request_key(REQUEST)
    assert cache.get(key) is None
    cache.path(key).parent.mkdir(parents=True)
    cache.path(key).write_text("{")
    assert cache.put(key, REQUEST, "answer") == "answer"
    assert cache.get(key) == "answer"


def test_an_entry_under_another_name_is_not_taken(tmp_path: Path) -> None:
    cache, key = RequestCache(tmp_path), request_key(REQUEST)
    cache.put(key, REQUEST, "answer")
    other = request_key({})
    cache.path(other).parent.mkdir(parents=True, exist_ok=True)
    cache.path(other).write_text(cache.path(key).read_text())
    assert cache.get(other) is None


def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", refuse)
    cache, key = RequestCache(tmp_path), request_key(REQUEST)
    assert cache.put(key, REQUEST, "answer") == "answer"
    assert cache.get(key) == "answer"


def test_the_budget_holds_across_processes(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        done = pool.starmap(_spend, [(str(tmp_path), 8)] * 3)
    assert 8 <= sum(done) <= 10
    assert Ledger(tmp_path, 1.0).spent() <= 1.0 + 1e-9


def test_the_budget_holds_across_threads(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, budget_usd=0.5)

    def spend(_: int) -> bool:
        try:
            ledger.settle(ledger.reserve(0.1), 0.1)
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(20))) == 5
    assert ledger.spent() == pytest.approx(0.5)


def test_what_a_dead_process_reserved_goes_on_counting(tmp_path: Path) -> None:
    Ledger(tmp_path, 1.0).reserve(0.6)
    with pytest.raises(BudgetExceeded, match=r"0\.6000 USD are spent or reserved"):
        Ledger(tmp_path, 1.0).reserve(0.6)
    Ledger(tmp_path, 1.0).reserve(0.4)


def test_a_settled_request_costs_what_it_cost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 1.0)
    request = ledger.reserve(0.9, model="m")
    ledger.settle(request, 0.001, model="m", prompt_tokens=5)
    assert ledger.spent() == pytest.approx(0.001)
    (file,) = (tmp_path / "ledger").iterdir()
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["event"] for event in events] == ["reserve", "settle"]
    assert events[1]["prompt_tokens"] == 5


def test_a_torn_line_is_read_once_it_is_whole_and_rubbish_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(tmp_path, 1.0)
    ledger.reserve(0.1)
    line = json.dumps({"request": "r", "usd": 0.2})
    other = tmp_path / "ledger" / "other-1-a.jsonl"
    other.write_text(line[:9])
    assert ledger.spent() == pytest.approx(0.1)
    with other.open("a") as file:
        file.write(line[9:] + "\n")
    assert ledger.spent() == pytest.approx(0.3)
    with other.open("a") as file:
        file.write("rubbish\n")
    assert ledger.spent() == pytest.approx(0.3)
    assert "unreadable line" in caplog.text


def _ask_alone(directory: str, key: str, seconds: float) -> tuple[float, float]:
    """When this process began to ask, and when it was done."""
    with RequestCache(directory).asking(key, time.sleep):
        began = time.monotonic()
        time.sleep(seconds)
        return began, time.monotonic()


def test_one_process_asks_at_a_time(tmp_path: Path) -> None:
    key = request_key(REQUEST)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        asked = sorted(pool.starmap(_ask_alone, [(str(tmp_path), key, 0.1)] * 8))
    assert all(done <= began for (_, done), (began, _) in itertools.pairwise(asked))
    assert not list(tmp_path.rglob("*.asking"))


def _die_while_asking(directory: str, key: str) -> None:
    with RequestCache(directory).asking(key, time.sleep):
        os._exit(9)


def test_the_question_of_a_killed_process_is_free(tmp_path: Path) -> None:
    key = request_key(REQUEST)
    killed = multiprocessing.get_context("spawn").Process(target=_die_while_asking, args=(str(tmp_path), key))
    killed.start()
    killed.join()
    assert killed.exitcode == 9
    began, done = _ask_alone(str(tmp_path), key, 0.0)
    assert done - began < 5


def test_a_lock_that_another_user_left_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, plain = request_key(REQUEST), Path.open
    left = RequestCache(tmp_path).path(key).with_name(f".{key}.asking")
    left.parent.mkdir(parents=True)
    left.touch()

    def of_another_user(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if path == left and mode != "rb":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", of_another_user)
    assert _ask_alone(str(tmp_path), key, 0.0)


def test_without_locks_everybody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert _ask_alone(str(tmp_path), request_key(REQUEST), 0.0)
