"""The endpoint teacher against a server that misbehaves: nothing paid is lost, nothing wrong is accepted."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from teachable import tables
from teachable.config.teacher import Teacher
from teachable.errors import ConfigError
from teachable.teacher.advise import advise_snapshots
from teachable.teacher.errors import BudgetExceeded, TeacherError, TeacherUnavailable
from teachable.teacher.ledger import Ledger
from teachable.worlds.textworld.reasons import explain

from .conftest import GOOD, KEY, Reply, Server, completion, error, price, snapshot, snapshots

Make = Callable[..., Teacher]
EXPERT = "open oven"  # differs from the teacher's, to see that it is never shown


class Sleeper:
    """Stands in for waiting and remembers how long."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


def ask(rows: list[dict[str, Any]], settings: Teacher, sleep: Sleeper | None = None) -> pl.DataFrame:
    experts = {row["snapshot_id"]: EXPERT for row in rows}
    return advise_snapshots(snapshots(*rows), experts, settings, explain=explain, sleep=sleep or Sleeper())


def ledger_lines(settings: Teacher) -> list[dict[str, Any]]:
    files = sorted(Path(settings.cache, "ledger").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def test_an_accepted_answer_fills_its_row(server: Server, settings: Make) -> None:
    row = ask([snapshot()], settings()).row(0, named=True)
    assert {name: row[name] for name in GOOD} == GOOD
    assert row["valid"] is True
    assert row["reason"] is None
    assert (row["attempts"], row["prompt_tokens"], row["completion_tokens"]) == (1, 400, 100)
    assert row["cost_usd"] == pytest.approx((400 * 0.15 + 100 * 0.60) * 1e-6)
    assert (row["teacher"], row["model"], row["expert_action"]) == ("openai", "gpt-4o-mini", EXPERT)
    assert row["unwinnable"] is False


def test_the_question_is_strict_and_never_shows_the_expert(server: Server, settings: Make) -> None:
    one = snapshot(commands=["go north", "open oven door", "take red apple from table"], student_action="go north")
    advise_snapshots(snapshots(one), {"s0": "take red apple from table"}, settings(), explain=explain)
    two = snapshot(commands=["go north", "open oven door", "take red apple from table"], student_action="go north")
    advise_snapshots(snapshots(two), {"s0": None}, settings(), explain=explain)
    assert len(server.requests) == 1  # the expert's action is no part of the question
    request = server.requests[0]
    assert request["temperature"] == 0
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    assert sorted(schema["schema"]["required"]) == sorted(schema["schema"]["properties"])
    text = request["messages"][1]["content"]
    for part in (
        "Prepare the meal.",
        "- open oven door",
        "> open fridge",
        "THE AGENT CHOSE\ngo north",
        "open oven door)",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"retry-after-ms": "2500"}, 2.5, 2.5),
        ({"Retry-After": "in half a minute"}, 20, 30),
        ({}, 0.75, 1),
        ({"Retry-After": "soon"}, 0.75, 1),
    ],
)
def test_429_waits_as_long_as_the_server_asks(
    server: Server, settings: Make, header: dict[str, str], low: float, high: float
) -> None:
    reply = error(429, "rate_limit_exceeded")
    reply.headers.update(header)
    if header.get("Retry-After") == "in half a minute":
        reply.headers["Retry-After"] = formatdate(time() + 30, usegmt=True)
    server.script = [reply]
    sleep = Sleeper()
    assert ask([snapshot()], settings(), sleep)["valid"].all()
    assert len(sleep.waits) == 1
    assert low <= sleep.waits[0] <= high
    assert len(server.requests) == 2


def test_what_is_asked_again_is_said(server: Server, settings: Make) -> None:
    """In a process of its own, which sets up no logging: what a stage says goes into its log."""
    server.script = [error(429, "rate_limit_exceeded", Retry_After="0.01"), Reply(completion("no JSON"))]
    code = (
        "import json, sys; from teachable.config.teacher import Teacher; from teachable.teacher.cache import "
        "RequestCache; from teachable.teacher.ledger import Ledger; from teachable.teacher.openai_client import "
        "Endpoint; from teachable.teacher.advise import _consult; import teachable.teacher.advise\n"
        "settings = Teacher.model_validate_json(sys.argv[1])\n"
        "endpoint = Endpoint(settings, RequestCache(settings.cache), Ledger(settings.cache, settings.budget_usd))\n"
        "assert _consult(endpoint, json.loads(sys.argv[2]), None, 'compact')[0]['valid']"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, settings().model_dump_json(), json.dumps(snapshot())],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    busy, form = done.stderr.splitlines()
    assert busy.startswith("teacher: HTTP 429")
    assert "asked again in 0 s" in busy
    assert form.startswith("teacher: s0: answer 1 is not accepted, asked again: it is not a complete JSON object")


def test_a_server_that_asks_for_too_long_a_pause_stops_the_run(server: Server, settings: Make) -> None:
    server.script = [error(429, Retry_After="86400")]
    sleep = Sleeper()
    with pytest.raises(TeacherUnavailable, match="86400 s"):
        ask([snapshot()], settings(), sleep)
    assert sleep.waits == []


def test_5xx_is_retried_with_longer_waits_and_then_given_up(server: Server, settings: Make) -> None:
    server.script = [error(500), error(503), Reply(completion(GOOD))]
    sleep = Sleeper()
    assert ask([snapshot()], settings(), sleep)["valid"].all()
    assert 0.75 <= sleep.waits[0] <= 1
    assert 1.5 <= sleep.waits[1] <= 2
    server.otherwise = lambda request: error(500)
    with pytest.raises(TeacherUnavailable, match="3 attempts, last: HTTP 500"):
        ask([snapshot("s1")], settings())
    assert {line["usd"] for line in ledger_lines(settings()) if line.get("status") == "HTTP 500"} == {0.0}


def test_a_hanging_server_times_out_and_counts_as_paid(server: Server, settings: Make) -> None:
    server.script = [Reply(completion(GOOD), delay=2.0)]
    assert ask([snapshot()], settings(timeout_s=0.3))["valid"].all()
    assert len(server.requests) == 2
    lost = [line for line in ledger_lines(settings()) if line.get("status") == "no answer within 0.3 s"]
    assert len(lost) == 1
    assert lost[0]["usd"] > 0


@pytest.mark.parametrize(
    "reply",
    [
        Reply(completion(GOOD), cut=True),
        Reply(completion(GOOD)[:-40]),
        Reply("<html>welcome</html>"),
        Reply('{"error": {"message": "upstream is busy"}}'),
        Reply('{"choices": []}'),
    ],
)
def test_a_response_that_is_no_completion_is_never_cached(server: Server, settings: Make, reply: Reply) -> None:
    server.script = [reply]
    assert ask([snapshot()], settings())["valid"].all()
    assert len(server.requests) == 2
    assert len(list(Path(settings().cache).rglob("*.json"))) == 1


@pytest.mark.parametrize(
    ("answer", "finish", "told"),
    [
        ({**GOOD, "suggested_action": "take apple"}, "stop", "'take apple' is not one of the admissible"),
        ({**GOOD, "suggested_action": "Take red apple from table"}, "stop", "is not one of the admissible"),
        ({**GOOD, "suggested_action": "take red apple from table "}, "stop", "is not one of the admissible"),
        (json.dumps(GOOD)[:-30], "stop", "not a complete JSON object"),
        ({**GOOD, "error_type": "bad_luck"}, "stop", "error_type"),
        ({**GOOD, "extra": 1}, "stop", "extra"),
        ({key: GOOD[key] for key in GOOD if key != "why_bad"}, "stop", "why_bad"),
        ([GOOD], "stop", "answer"),
        ({**GOOD, "rationale": "  "}, "stop", "rationale is empty"),
        ({**GOOD, "diagnosis": "It should take the red apple from the table."}, "stop", "diagnosis names"),
        ("", "stop", "not a complete JSON object"),
    ],
)
def test_a_wrong_answer_is_asked_again_with_the_list(
    server: Server, settings: Make, answer: Any, finish: str, told: str
) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    server.script = [Reply(completion(text, finish=finish))]
    row = ask([snapshot()], settings()).row(0, named=True)
    assert row["valid"] is True
    assert (row["attempts"], row["prompt_tokens"]) == (2, 800)
    again = server.requests[1]["messages"]
    assert told in again[-1]["content"]
    for command in snapshot()["commands"]:
        assert f"- {command}" in again[-1]["content"]
    assert [message["role"] for message in again] == ["system", "user"] + ["assistant"] * bool(text) + ["user"]


def test_a_teacher_that_always_hallucinates_gives_an_invalid_row(server: Server, settings: Make) -> None:
    server.otherwise = lambda request: Reply(completion({**GOOD, "suggested_action": "fly"}))
    made = ask([snapshot()], settings())
    row = made.row(0, named=True)
    assert row["valid"] is False
    assert row["suggested_action"] is None
    assert row["rationale"] is None
    assert "advice_invalid after 3 answers" in row["reason"]
    assert "'fly'" in row["reason"]
    assert (row["attempts"], row["completion_tokens"]) == (3, 300)
    assert_frame_equal(made, ask([snapshot()], settings()))
    assert len(server.requests) == 3


def test_where_the_teacher_agrees_with_the_student_the_runner_up_is_contrasted(server: Server, settings: Make) -> None:
    one = snapshot(student_action=GOOD["suggested_action"])
    assert ask([one], settings())["valid"].all()
    assert "(second choice: go north)" in server.requests[0]["messages"][1]["content"]
    lone = snapshot("s1", commands=["open oven"], logp=[0.0], student_action="open oven")
    row = ask([lone], settings()).row(0, named=True)
    assert (row["valid"], row["attempts"]) == (False, 0)
    assert len(server.requests) == 1


def test_a_second_run_makes_no_request_and_the_same_table(
    server: Server, settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [snapshot(f"s{i}") for i in range(6)]
    first = ask(rows, settings())
    assert first["snapshot_id"].to_list() == [row["snapshot_id"] for row in rows]
    assert len(server.requests) == 6
    spent = Ledger(settings().cache, 1).spent()
    monkeypatch.delenv("OPENAI_API_KEY")
    assert_frame_equal(ask(rows, settings(concurrency=1)), first)
    assert len(server.requests) == 6
    assert Ledger(settings().cache, 1).spent() == pytest.approx(spent) == pytest.approx(first["cost_usd"].sum())


def test_the_cache_tells_models_endpoints_and_settings_apart(server: Server, settings: Make) -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"model": "other"},
        {"base_url": server.url.replace("127.0.0.1", "localhost")},
        {"temperature": 0.5},
        {"response_format": "json_object"},
        {"enum_actions": True},
        {"extra_body": {"top_k": 1}},
    ]
    for count, changes in enumerate(variants, start=1):
        ask([snapshot()], settings(**changes))
        ask([snapshot()], settings(**changes))
        assert len(server.requests) == count, changes


def test_equal_questions_are_paid_once(server: Server, settings: Make) -> None:
    server.otherwise = lambda request: Reply(completion(GOOD), delay=0.05)
    rows = [snapshot(f"s{i}", observation="the same") for i in range(8)]
    assert ask(rows, settings(concurrency=8))["valid"].all()
    assert len(server.requests) == 1


def test_concurrency_is_bounded(server: Server, settings: Make) -> None:
    server.otherwise = lambda request: Reply(completion(GOOD), delay=0.05)
    ask([snapshot(f"s{i}") for i in range(12)], settings(concurrency=3))
    assert server.most_at_once == 3


def test_the_budget_stops_midway_and_keeps_what_is_finished(server: Server, settings: Make) -> None:
    rows = [snapshot(f"s{i}") for i in range(10)]
    dear = {"gpt-4o-mini": price(input=1000.0, output=1000.0)}  # 0.5 USD an answer
    with pytest.raises(BudgetExceeded, match=r"of 10 snapshots are finished.*budget of 9.0000 USD.*budget_usd"):
        ask(rows, settings(prices=dear, budget_usd=9.0, concurrency=2))
    asked = len(server.requests)
    assert 0 < asked < 10
    assert Ledger(settings().cache, 1).spent() == pytest.approx(0.5 * asked)
    assert ask(rows, settings(prices=dear, budget_usd=90.0))["valid"].all()
    assert len(server.requests) == 10
    assert Ledger(settings().cache, 1).spent() <= 9.0


def test_answers_on_their_way_are_kept_when_another_request_ends_the_run(server: Server, settings: Make) -> None:
    slow = threading.Event()

    def answer(request: dict[str, Any]) -> Reply:
        if "(s0)" in request["messages"][1]["content"]:
            slow.wait(5)
            return Reply(completion(GOOD), delay=0.2)
        slow.set()
        return error(404, "model_not_found", "The model does not exist")

    server.otherwise = answer
    with pytest.raises(TeacherError, match=r"HTTP 404: The model does not exist.*teacher.model"):
        ask([snapshot(f"s{i}") for i in range(20)], settings(concurrency=2))
    assert len(server.requests) < 6
    server.otherwise = lambda request: error(500)
    count = len(server.requests)
    assert ask([snapshot("s0")], settings())["valid"].all()
    assert len(server.requests) == count


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (error(403), "does not accept the key"),
        (error(403, "unsupported_country", "Country, region, or territory not supported"), "403: Country, region, or"),
        (error(429, "insufficient_quota"), "quota is used up"),
        (error(400, None, "response_format json_schema is not supported"), "json_object or plain"),
        (
            error(400, "unsupported_parameter", "use max_completion_tokens, not max_tokens"),
            "max_tokens_field",
        ),
        (error(400, "unsupported_value", "temperature does not support 0"), "temperature.* to null"),
    ],
)
def test_an_error_that_would_meet_every_request_stops_at_once(
    server: Server, settings: Make, reply: Reply, message: str
) -> None:
    server.otherwise = lambda request: reply
    with pytest.raises(TeacherError, match=message):
        ask([snapshot()], settings())
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", ["context_length_exceeded", "content_filter"])
def test_a_refused_text_is_one_invalid_row(server: Server, settings: Make, code: str) -> None:
    server.script = [error(400, code, "not this text")]
    row = ask([snapshot()], settings()).row(0, named=True)
    assert (row["valid"], row["suggested_action"]) == (False, None)
    assert code in row["reason"]


def test_a_missing_key_is_one_error_before_any_request(
    server: Server, settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(TeacherError, match="OPENAI_API_KEY is not set"):
        ask([snapshot("s0"), snapshot("s1")], settings())
    monkeypatch.setenv("MY_KEY", "two words")
    with pytest.raises(TeacherError, match="MY_KEY does not hold an API key") as caught:
        ask([snapshot()], settings(api_key_env="MY_KEY"))
    assert "two words" not in str(caught.value)
    assert server.requests == []
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    ask([snapshot()], settings(api_key_env="MY_KEY"))
    ask([snapshot("s1")], settings(api_key_env=""))
    assert server.keys == [f"Bearer {KEY}", "Bearer none"]


def test_a_model_without_price_and_a_url_with_a_secret_are_refused(settings: Make) -> None:
    with pytest.raises(ConfigError, match=r"teacher.prices.gpt-9"):
        settings(model="gpt-9")
    for url in ("http://user:pw@host/v1", "http://host/v1?key=1", "host/v1"):
        with pytest.raises(ConfigError, match="base_url"):
            settings(base_url=url)


def test_the_key_is_in_no_file_no_log_and_no_error(
    server: Server,
    settings: Make,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script = [
        error(500, None, f"header was Bearer {KEY}"),
        Reply(completion(GOOD, debug=f"Bearer {KEY}")),
        error(400, "content_filter", f"Bearer {KEY}"),
        error(404, None, f"Bearer {KEY}"),
    ]
    config = settings(concurrency=1)
    made = ask([snapshot("s0"), snapshot("s1")], config)
    with pytest.raises(TeacherError) as caught:
        ask([snapshot("s2")], config)
    server.close()
    with pytest.raises(TeacherUnavailable) as cut:
        ask([snapshot("s3")], config)
    assert server.keys == [f"Bearer {KEY}"] * 4
    output = capfd.readouterr()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 4
    texts = [str(made.to_dicts()), caplog.text, output.out, output.err]
    for failure in (caught.value, cut.value):
        seen: BaseException | None = failure
        while seen is not None:
            texts += [str(seen), repr(seen)]
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    assert not any(KEY in text for text in texts)
    assert not any(KEY.encode() in data for data in written)


@pytest.mark.parametrize("damage", ["", "{", '{"key": 1}', "edited", "\xff"])
def test_a_corrupt_cache_entry_is_noticed_put_aside_and_asked_again(
    server: Server, settings: Make, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = ask([snapshot()], settings())
    (entry,) = Path(settings().cache).rglob("*.json")
    edited = entry.read_text().replace("exploration_failure", "planning_error")
    entry.write_bytes(edited.encode() if damage == "edited" else damage.encode("latin-1"))
    assert_frame_equal(ask([snapshot()], settings()), made)
    assert len(server.requests) == 2
    assert "corrupt" in caplog.text
    assert len(list(Path(settings().cache).rglob("*.corrupt-*"))) == 1
    ask([snapshot()], settings())
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", ["json_object", "plain"])
def test_servers_without_json_schema(server: Server, settings: Make, kind: str) -> None:
    text = json.dumps(GOOD)
    if kind == "plain":
        text = f"<think>take {{it}}?</think>Here it is:\n```json\n{text}\n```"
    server.otherwise = lambda request: Reply(completion(text, usage=False))
    row = ask([snapshot()], settings(response_format=kind)).row(0, named=True)
    assert row["valid"] is True
    assert (row["prompt_tokens"], row["completion_tokens"]) == (None, None)
    assert row["cost_usd"] > 0  # unknown, so counted at its bound
    expected = {"type": "json_object"} if kind == "json_object" else None
    assert server.requests[0].get("response_format") == expected


def test_options_for_local_servers(server: Server, settings: Make) -> None:
    config = settings(
        enum_actions=True,
        temperature=None,
        max_tokens_field="max_completion_tokens",
        extra_body={"chat_template_kwargs": {"enable_thinking": False}},
        prices={"gpt-4o-mini": price(input=0, output=0)},
        budget_usd=0,
    )
    assert ask([snapshot()], config)["cost_usd"].to_list() == [0.0]
    request = server.requests[0]
    assert "temperature" not in request
    assert request["max_completion_tokens"] == 600
    assert request["chat_template_kwargs"] == {"enable_thinking": False}
    properties = request["response_format"]["json_schema"]["schema"]["properties"]
    assert properties["suggested_action"]["enum"] == snapshot()["commands"]


def test_the_table_conforms_and_progress_is_told(server: Server, settings: Make) -> None:
    seen: list[tuple[int, int]] = []
    rows = [snapshot(f"s{i}") for i in range(3)]
    made = advise_snapshots(
        snapshots(*rows),
        dict.fromkeys(["s0", "s1", "s2"]),
        settings(),
        explain=explain,
        progress=lambda d, n: seen.append((d, n)),
    )
    assert made.schema == pl.Schema(tables.ADVICE)
    assert made["unwinnable"].all()
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert len(advise_snapshots(snapshots(), {}, settings(), explain=explain)) == 0


def test_an_interrupt_ends_the_run_and_keeps_the_answers(server: Server, settings: Make) -> None:
    rows = [snapshot(f"s{i}") for i in range(40)]

    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    server.otherwise = lambda request: Reply(completion(GOOD), delay=0.02)
    with pytest.raises(KeyboardInterrupt):
        advise_snapshots(
            snapshots(*rows),
            {row["snapshot_id"]: EXPERT for row in rows},
            settings(concurrency=2),
            explain=explain,
            progress=interrupt,
        )
    asked = len(server.requests)
    assert 3 <= asked < 40
    assert ask(rows, settings())["valid"].all()
    assert len(server.requests) == 40
