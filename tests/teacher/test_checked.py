"""What comes from outside is checked before it is stored, and stays plain data; the key stays out of everything."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from teachable.config.teacher import Teacher
from teachable.teacher.cache import RequestCache
from teachable.teacher.errors import TeacherError, TeacherUnavailable
from teachable.teacher.keys import read_key, scrub, scrub_json
from teachable.teacher.ledger import Ledger

from .conftest import GOOD, KEY, Reply, Server, completion, error, snapshot
from .test_openai import ask
from .test_trouble import with_message

Make = Callable[..., Teacher]
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "reply",
    [
        with_message("hello"),
        with_message(["hello"]),
        with_message({"content": 5}),
        with_message({"content": True}),
        Reply(json.dumps({"choices": ["hello"]})),
        Reply(json.dumps({"choices": {"message": {}}})),
        Reply(json.dumps([1])),
        Reply("null"),
        Reply(DEEP),
        Reply('{"choices": ' + "1" * 5000 + "}"),
    ],
)
def test_a_response_of_another_shape_is_not_cached_and_no_traceback(
    server: Server, settings: Make, reply: Reply
) -> None:
    server.script = [reply, reply]
    with pytest.raises(TeacherUnavailable, match="2 attempts, last: HTTP 200, but it"):
        ask([snapshot()], settings(max_retries=1))
    assert not list(Path(settings().cache).rglob("answers/*/*.json"))
    assert ask([snapshot()], settings(max_retries=1))["valid"].all()


@pytest.mark.parametrize(
    "usage",
    [
        [1],
        "many",
        {"prompt_tokens": -(10**9), "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": -5},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": float("nan"), "completion_tokens": 1},
        {"prompt_tokens": 4},
    ],
)
def test_a_usage_that_is_none_counts_at_the_bound(server: Server, settings: Make, usage: Any) -> None:
    body = json.loads(completion(GOOD))
    server.script = [Reply(json.dumps({**body, "usage": usage}))]
    for _ in range(2):  # fresh, then from the cache
        row = ask([snapshot()], settings()).row(0, named=True)
        assert row["valid"] is True
        assert (row["prompt_tokens"], row["completion_tokens"]) == (None, None)
        assert 0 < row["cost_usd"] == pytest.approx(Ledger(settings().cache, 1).spent())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({**GOOD, "rationale": "An apple \ud83d."}),  # half a character, spelled with an escape in the answer
        json.dumps({**GOOD, "rationale": "An apple ?."}).replace("?", "\ud83d"),  # and in the response
        json.dumps({**GOOD, "rationale": "An\x00 apple."}),
        json.dumps({**GOOD, "diagnosis": "Clear \x1b[2J it."}),
        json.dumps({**GOOD, "\ud83d": 1}),
        json.dumps({**GOOD, "suggested_action": "\ud83d"}),
        '{"a":' * 5000,
    ],
)
def test_what_is_no_text_is_asked_again_and_no_traceback(server: Server, settings: Make, content: str) -> None:
    server.script = [with_message({"content": content})]
    for _ in range(2):  # fresh, then from the cache
        row = ask([snapshot()], settings()).row(0, named=True)
        assert (row["valid"], row["attempts"]) == (True, 2)
    assert len(server.requests) == 2


def test_an_answer_that_was_stored_unchecked_is_put_aside_and_asked_again(
    server: Server, settings: Make, caplog: pytest.LogCaptureFixture
) -> None:
    ask([snapshot()], settings())
    cache = RequestCache(settings().cache)
    (entry,) = Path(settings().cache).rglob("answers/*/*.json")
    entry.unlink()
    cache.put(entry.stem, {}, '{"choices": [{"message": "hello"}]}')
    assert ask([snapshot()], settings())["valid"].all()
    assert "its message is no object" in caplog.text
    assert len(list(Path(settings().cache).rglob("*.corrupt-*"))) == 1


def test_an_answer_that_may_not_be_read_is_left_where_it_is(server: Server, settings: Make) -> None:
    ask([snapshot()], settings())
    (entry,) = Path(settings().cache).rglob("answers/*/*.json")
    entry.unlink()
    entry.mkdir()  # as unreadable as a file of mode 0, for the superuser as well
    with pytest.raises(TeacherError, match=r"cannot be read.*teacher\.cache"):
        ask([snapshot()], settings())
    assert entry.is_dir()
    assert len(server.requests) == 1


@pytest.mark.parametrize("usd", [-1.0, float("nan"), float("inf")])
def test_the_ledger_takes_no_amount_that_is_none(tmp_path: Path, usd: float, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path, 1.0)
    request = ledger.reserve(0.4)
    for wrong in (lambda: ledger.settle(request, usd), lambda: ledger.reserve(usd)):
        with pytest.raises(ValueError, match="no cost"):
            wrong()
    (tmp_path / "ledger" / "old-1-a.jsonl").write_text(json.dumps({"request": request, "usd": usd}) + "\n")
    assert Ledger(tmp_path, 1.0).spent() == pytest.approx(0.4)
    assert "unreadable line" in caplog.text


@pytest.mark.parametrize("key", ["x", "n", "none", "food", "cookbook"])
def test_a_short_key_is_not_blanked_inside_answers(
    server: Server, settings: Make, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    good = {**GOOD, "suggested_action": "examine cookbook", "rationale": "None of the food is next."}
    server.otherwise = lambda request: Reply(completion(good, debug=f"Authorization: Bearer {key}", api_key=key))
    row = ask([snapshot(commands=["go north", "examine cookbook", "open oven"])], settings()).row(0, named=True)
    assert {name: row[name] for name in good} == good
    (entry,) = Path(settings().cache).rglob("answers/*/*.json")
    stored = json.loads(json.loads(entry.read_text())["response"])
    assert (stored["debug"], stored["api_key"]) == ("Authorization: Bearer ***", "***")


@pytest.mark.parametrize("key", [KEY, "token-abc123", "hunter2", 'a/b"c\\d-0123456789', "12345678"])
def test_a_key_is_blanked_however_it_is_spelled(
    server: Server, settings: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    spelled = "".join(f"\\u{ord(character):04x}" for character in key)
    body = completion(GOOD, debug="Bearer ?", created_at=99_12345678_99).replace("?", spelled)
    server.script = [error(500, None, f"who is {key}?"), Reply(body), error(404, None, f"no {key} here")]
    assert ask([snapshot()], settings())["valid"].all()
    with pytest.raises(TeacherError, match=r"no \*\*\* here") as caught:
        ask([snapshot("s1")], settings())
    (entry,) = Path(settings().cache).rglob("answers/*/*.json")
    response = json.loads(entry.read_text())["response"]
    assert json.loads(response)["debug"] == "Bearer ***"
    assert key not in caplog.text + str(caught.value)


def test_scrubbing_spares_what_is_no_key() -> None:
    assert scrub("a task-list, a sk-learn fan", "") == "a task-list, a sk-learn fan"
    assert scrub(f"it is {KEY}", "other") == "it is ***"
    text = '{"a": 12345678, "b": "x\\ud83d", "c": "none"}'
    assert scrub_json(text, "12345678") == text


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("MY_KEY=abc", "abc"),
        ("export MY_KEY = 'abc' # mine", "abc"),
        ('MY_KEY="a#b"', "a#b"),
        ("MY_KEY=abc # mine", "abc"),
        ("\ufeffMY_KEY=abc\r", "abc"),
        ("MY_KEY=old\n# MY_KEY=no\nMY_KEY=abc\nOTHER=1", "abc"),
    ],
)
def test_a_key_is_read_from_a_file_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(line + "\n", encoding="utf-8")
    assert read_key("MY_KEY", "host") == value
    monkeypatch.setenv("MY_KEY", "set")
    assert read_key("MY_KEY", "host") == "set"
    with pytest.raises(TeacherError, match=r"THEIR_KEY is not set, and no file \.env"):
        read_key("THEIR_KEY", "host")
    Path(".env").write_bytes(b"\xff")
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(TeacherError, match=r"\.env cannot be read"):
        read_key("MY_KEY", "host")
