"""Trouble of one snapshot costs that snapshot, everybody's trouble ends the run, and the server's words are shown."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from teachable.config.teacher import Teacher
from teachable.teacher.errors import TeacherError, TeacherUnavailable
from teachable.teacher.ledger import Ledger

from .conftest import GOOD, KEY, Reply, Server, completion, error, snapshot
from .test_openai import Sleeper, ask, ledger_lines

Make = Callable[..., Teacher]

OVERFLOWS = [
    (
        400,
        "This model's maximum context length is 2048 tokens. However, you requested 2600 tokens (2000 in messages).",
    ),
    (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 600. This model's maximum context length is 512 tokens",
    ),
    (400, "The decoder prompt (length 3000) is longer than the maximum model length of 2048."),
    (400, "the request exceeds the available context size. try increasing the context size or enable context shift"),
    (500, "input is too large to process. increase the physical batch size"),
    (400, "Requested tokens (2100) exceed context window of 2048"),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"),
    (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
    (400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"),
    (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    (400, "This model's maximum prompt length is 131072 but the request contains 140000 tokens."),
    (400, "Trying to keep the first 4500 tokens when the context overflows; loaded with context length of only 4096"),
    (400, "Range of input length should be [1, 30720]"),
    (413, "Payload Too Large"),
    (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."),
]


def only(bad: Reply, *names: str) -> Callable[[dict[str, Any]], Reply]:
    """``bad`` for the snapshots ``names``, a good answer for the others."""

    def answer(request: dict[str, Any]) -> Reply:
        text = request["messages"][1]["content"]
        return bad if any(f"({name})" in text for name in names) else Reply(completion(GOOD))

    return answer


def with_message(message: Any, *, finish: str = "stop", **extra: Any) -> Reply:
    body = json.loads(completion(GOOD, **extra))
    body["choices"][0]["message"] = message
    body["choices"][0]["finish_reason"] = finish
    return Reply(json.dumps(body))


@pytest.mark.parametrize(("status", "words"), OVERFLOWS)
def test_an_overflow_costs_one_snapshot(server: Server, settings: Make, status: int, words: str) -> None:
    server.otherwise = only(error(status, None, words), "s1")
    made = ask([snapshot(f"s{i}") for i in range(4)], settings())
    assert made["valid"].to_list() == [True, False, True, True]
    assert words[:30] in made["reason"][1]
    assert len(server.requests) == 4
    assert made["cost_usd"][1] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no", "type": "exceed_context_size_error", "code": 400, "n_ctx": 512}},
        {"error": {"message": "no", "code": "context_length_exceeded"}},
        {"object": "error", "message": "This model's maximum context length is 9", "code": 400},
        {"detail": "maximum context length is 9"},
        [{"error": {"code": 400, "message": "The input token count exceeds the maximum number of tokens allowed"}}],
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": "maximum context length is 9"},
            }
        },
    ],
)
@pytest.mark.parametrize("status", [400, 200])
def test_an_overflow_in_any_body(server: Server, settings: Make, body: Any, status: int) -> None:
    server.otherwise = only(Reply(json.dumps(body), status), "s1")
    made = ask([snapshot("s0"), snapshot("s1")], settings())
    assert made["valid"].to_list() == [True, False]
    assert len(server.requests) == 2
    assert Ledger(settings().cache, 1).spent() == pytest.approx(made["cost_usd"][0])


@pytest.mark.parametrize(
    "message",
    [
        "The request exceeded the time limit of the gateway",
        "upstream is busy",
    ],
)
def test_what_passes_is_no_overflow(server: Server, settings: Make, message: str) -> None:
    server.script = [error(504, None, message)]
    assert ask([snapshot()], settings())["valid"].all()
    assert len(server.requests) == 2


DRAFT = json.dumps({**GOOD, "rationale": "A draft."})
TEXT = json.dumps(GOOD)


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"```json\n{TEXT}\n```"},
        {"content": f"Sure, {{here}} it is:\n```\n{TEXT}\n```\nI hope {{}} helps."},
        {"content": f"<think>take {{it}}? {DRAFT}</think>{TEXT}"},
        {"content": f"take it? {DRAFT}</think>\n{TEXT}"},
        {"content": f"<think>I think so.\n{TEXT}"},
        {"content": f"<think>I think so. {TEXT}</think>"},
        {"content": f"{DRAFT}\nNo, better:\n{TEXT}"},
        {"content": json.dumps(TEXT)},
        {"content": [{"type": "text", "text": TEXT[:50]}, {"type": "text", "text": TEXT[50:]}]},
        {"content": [TEXT]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]},
                {"type": "text", "text": TEXT},
            ]
        },
        {"content": GOOD},
        {"content": None, "reasoning_content": f"Let me see. {TEXT}"},
        {"content": "", "reasoning": TEXT},
        {"content": " \n", "reasoning": TEXT, "refusal": None},
    ],
)
@pytest.mark.parametrize("kind", ["json_schema", "plain"])
def test_an_answer_is_read_in_every_shape(server: Server, settings: Make, message: Any, kind: str) -> None:
    server.script = [with_message({"role": "assistant", **message})]
    row = ask([snapshot()], settings(response_format=kind)).row(0, named=True)
    assert {name: row[name] for name in GOOD} == GOOD
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"content": ""},
        {"content": TEXT[:-30]},
        {"content": f"<think>Perhaps {TEXT}, but"},
        {"content": None, "reasoning_content": f"Perhaps {TEXT}, but"},
    ],
)
def test_a_truncated_answer_is_not_repeated_under_the_same_limit(
    server: Server, settings: Make, message: dict[str, Any]
) -> None:
    server.otherwise = lambda request: with_message(message, finish="length")
    row = ask([snapshot()], settings()).row(0, named=True)
    assert (row["valid"], row["attempts"]) == (False, 1)
    assert "cut off at 600 tokens; raise `teacher.max_tokens`" in row["reason"]
    assert len(server.requests) == 1


def test_a_whole_answer_before_the_cut_counts(server: Server, settings: Make) -> None:
    server.otherwise = lambda request: with_message({"content": f"{TEXT}\nFurther, I"}, finish="length")
    assert ask([snapshot()], settings())["valid"].all()


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (with_message({"content": ""}, finish="length"), "raise `teacher.max_tokens`"),
        (with_message({"content": ""}), "response_format"),
        (with_message({"content": "Take the apple."}), "`teacher.response_format` to json_schema"),
        (with_message({"content": json.dumps({"action": "go north"})}), "`teacher.response_format` to json_schema"),
        (with_message({"content": json.dumps({**GOOD, "suggested_action": "fly"})}), "`teacher.enum_actions` to true"),
        (with_message({"content": json.dumps({**GOOD, "rationale": " "})}), "another `teacher.model`"),
        (with_message({"content": None, "refusal": "I cannot help."}), "refuses to answer"),
        (with_message({"content": [{"type": "refusal", "refusal": "I cannot help."}]}), "refuses to answer"),
        (with_message(None, finish="content_filter"), "have no text"),
        (error(400, None, OVERFLOWS[0][1]), "context of the model"),
        (error(400, "content_filter", "no"), "filters these texts"),
    ],
)
def test_everybodys_trouble_stops_the_run_and_names_the_setting(
    server: Server, settings: Make, reply: Reply, remedy: str
) -> None:
    server.otherwise = lambda request: reply
    config = settings(concurrency=1, max_retries=1)
    with pytest.raises(TeacherError, match=f"10 snapshots have no valid advice.*{re.escape(remedy)}"):
        ask([snapshot(f"s{i}") for i in range(40)], config)
    assert len(server.requests) <= 24
    count = len(list(Path(config.cache).rglob("*.json")))
    assert count == (0 if reply.status == 400 else len(server.requests))


def test_one_valid_answer_keeps_the_run_going(server: Server, settings: Make) -> None:
    server.otherwise = only(error(400, None, OVERFLOWS[0][1]), *(f"s{i}" for i in range(1, 30)))
    made = ask([snapshot(f"s{i}") for i in range(30)], settings(concurrency=1))
    assert made["valid"].sum() == 1
    assert len(server.requests) == 30


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "upstream is overfull", "code": 502}}, "upstream is overfull"),
        ({"error": "upstream is overfull"}, "upstream is overfull"),
        ({"error": True, "reason": "upstream is overfull"}, "upstream is overfull"),
        ({"object": "error", "message": "upstream is overfull"}, "upstream is overfull"),
        ({"detail": "upstream is overfull"}, "upstream is overfull"),
        ({"errors": [{"message": "upstream is overfull"}]}, "upstream is overfull"),
        ([{"error": {"message": "upstream is overfull"}}], "upstream is overfull"),
        (
            {"choices": [{"error": {"message": "upstream is overfull"}, "finish_reason": "error", "message": {}}]},
            "upstream is",
        ),
    ],
)
def test_an_error_that_came_with_http_200_is_shown_and_costs_nothing(
    server: Server, settings: Make, body: Any, words: str
) -> None:
    server.otherwise = lambda request: Reply(json.dumps(body))
    with pytest.raises(TeacherUnavailable, match=f"3 attempts, last: HTTP 200, but .*{words}"):
        ask([snapshot()], settings())
    assert Ledger(settings().cache, 1).spent() == 0
    assert not list(Path(settings().cache).rglob("*.json"))


@pytest.mark.parametrize("status", [200, 400, 404, 418, 500])
@pytest.mark.parametrize(
    "body",
    ["<html>\n<b>teapot\x1b[2J</b>", '{"teapot": [1]}', "teapot " + KEY, '"teapot"', '{"error": {"message": "teapot"'],
)
def test_the_first_words_of_any_error_body_are_shown(server: Server, settings: Make, status: int, body: str) -> None:
    server.otherwise = lambda request: Reply(body + " x" * 1000, status)
    with pytest.raises(TeacherError, match=rf"HTTP {status}.*teapot") as caught:
        ask([snapshot()], settings())
    said = str(caught.value)
    assert KEY not in said
    assert "\x1b" not in said
    assert len(said) < 900


def test_a_fatal_error_with_http_200_is_not_repeated(server: Server, settings: Make) -> None:
    body = {"error": {"message": "The model `m` does not exist", "type": "invalid_request_error"}}
    server.otherwise = lambda request: Reply(json.dumps(body))
    with pytest.raises(TeacherError, match=r"does not exist.*teacher\.model"):
        ask([snapshot()], settings())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "shown", "not_shown"),
    [
        (
            error(403, "unsupported_country_region_territory", "Not available in your region"),
            "in your region",
            "the key in",
        ),
        (error(403, None, "Incorrect API key provided"), "does not accept the key.*Incorrect API key", "region"),
        (
            error(402, None, "Payment required for this"),
            "quota is used up.*Payment required.*add credit",
            "see `teacher",
        ),
        (
            error(400, None, "max_tokens is too large: 600. Supports at most 300 completion tokens"),
            "lower `teacher.max_tok",
            "field",
        ),
        (error(400, None, "top_k: extra inputs are not permitted"), "see `teacher.extra_body`: top_k", "teacher.model"),
    ],
)
def test_the_remedy_names_what_the_words_are_about(
    server: Server, settings: Make, reply: Reply, shown: str, not_shown: str
) -> None:
    server.otherwise = lambda request: reply
    with pytest.raises(TeacherError, match=shown) as caught:
        ask([snapshot()], settings(extra_body={"top_k": 1}))
    assert not_shown not in str(caught.value)
    assert len(server.requests) == 1


def test_a_moderated_text_is_one_snapshots_trouble(server: Server, settings: Make) -> None:
    reply = error(403, None, "Your chosen model requires moderation and your input was flagged for violence")
    server.otherwise = only(reply, "s1")
    made = ask([snapshot("s0"), snapshot("s1")], settings())
    assert made["valid"].to_list() == [True, False]
    assert "was flagged" in made["reason"][1]


def test_a_server_that_is_not_there_costs_nothing(server: Server, settings: Make) -> None:
    config = settings()
    server.close()
    with pytest.raises(TeacherUnavailable, match="3 attempts, last: connection failed"):
        ask([snapshot()], config)
    assert [line["usd"] for line in ledger_lines(config) if line["event"] == "settle"] == [0.0] * 3


@pytest.mark.parametrize("headers", [False, True])
def test_a_server_that_drips_meets_the_deadline(server: Server, settings: Make, headers: bool) -> None:
    server.otherwise = lambda request: Reply(completion(GOOD), drip=0.05, drip_headers=headers)
    start = time.monotonic()
    with pytest.raises(TeacherUnavailable, match=r"no answer within 0\.5 s"):
        ask([snapshot()], settings(timeout_s=0.5, max_retries=0))
    assert time.monotonic() - start < 5  # every byte came in time; all of them take more than 10 s
    assert Ledger(settings().cache, 1).spent() > 0


class Busy:
    """Answers 429 until so many seconds were slept."""

    def __init__(self, server: Server, seconds: float, reply: Reply) -> None:
        self.slept: list[float] = []
        server.otherwise = lambda request: Reply(completion(GOOD)) if sum(self.slept) >= seconds else reply

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for_by_time(server: Server, settings: Make, status: int) -> None:
    busy = Busy(server, 200, error(status))
    assert ask([snapshot()], settings(max_retries=0), busy)["valid"].all()  # type: ignore[arg-type]
    assert 200 <= sum(busy.slept) <= 300
    assert {line["usd"] for line in ledger_lines(settings()) if line.get("status") == f"HTTP {status}"} == {0.0}


def test_a_server_busy_for_ever_ends_the_run_after_longest_wait_s(server: Server, settings: Make) -> None:
    busy = Busy(server, 1e9, error(429, None, "slow down"))
    with pytest.raises(TeacherUnavailable, match=r"after 40 s of waiting.*`longest_wait_s` = 40.*slow down"):
        ask([snapshot()], settings(longest_wait_s=40.0), busy)  # type: ignore[arg-type]
    assert sum(busy.slept) == pytest.approx(40)
    assert len(server.requests) < 12


def test_a_server_that_always_asks_for_no_pause_is_not_asked_without_end(server: Server, settings: Make) -> None:
    busy = Busy(server, 1e9, error(429, Retry_After="0"))
    with pytest.raises(TeacherUnavailable):
        ask([snapshot()], settings(longest_wait_s=40.0), busy)  # type: ignore[arg-type]
    assert len(server.requests) < 30


def test_stated_pauses_are_added_up(server: Server, settings: Make) -> None:
    busy = Busy(server, 1e9, error(429, Retry_After="30"))
    with pytest.raises(
        TeacherUnavailable, match="asks to wait 30 s, longer than `longest_wait_s` = 70 allows after 60 s"
    ):
        ask([snapshot()], settings(longest_wait_s=70.0), busy)  # type: ignore[arg-type]
    assert busy.slept == [30, 30]


@pytest.mark.parametrize(
    ("message", "headers", "seconds"),
    [
        ("Rate limit reached. Please try again in 20s. Visit us.", {}, 20),
        ("Please try again in 1m30.5s", {}, 90.5),
        ("try again in 6ms", {}, 0.006),
        ("Retry after 2 minutes", {}, 120),
        ("Retry after 500 milliseconds", {}, 0.5),
        ("Quota exceeded. Please retry in 57.3s.", {}, 57.3),
        ("Please wait 1 minute and 5 seconds", {}, 65),
        ("no", {"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "9",
                "x-ratelimit-reset-tokens": "2s", "x-ratelimit-remaining-tokens": "0"}, 2),
        ("no", {"x-ratelimit-reset-requests": "1m2s", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ("no", {"x-ratelimit-reset": "17"}, 17),
        ("try again in 9s", {"Retry-After": "7", "x-ratelimit-reset": "17"}, 7),
    ],
)  # fmt: skip
def test_a_pause_is_read_wherever_it_is_stated(
    server: Server, settings: Make, message: str, headers: dict[str, str], seconds: float
) -> None:
    server.script = [Reply(json.dumps({"error": {"message": message}}), 429, headers)]
    sleep = Sleeper()
    assert ask([snapshot()], settings(), sleep)["valid"].all()
    assert sleep.waits == [pytest.approx(seconds)]


def test_moments_are_read_as_seconds_from_now(server: Server, settings: Make) -> None:
    later = time.time() + 50
    for count, value in enumerate(
        [f"{later:.0f}", f"{later * 1000:.0f}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(later))]
    ):
        server.script = [Reply("{}", 429, {"x-ratelimit-reset": value})]
        sleep = Sleeper()
        ask([snapshot(f"s{count}")], settings(), sleep)
        assert 40 < sleep.waits[0] <= 51, value


def test_limits_that_come_with_every_response_are_no_pause(server: Server, settings: Make) -> None:
    reply = error(500)
    reply.headers["x-ratelimit-reset-tokens"] = "6m0s"
    server.script = [reply]
    sleep = Sleeper()
    ask([snapshot()], settings(), sleep)
    assert sleep.waits[0] <= 1


def test_certificates_that_are_not_there_are_named(
    settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "no.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(missing))
    with pytest.raises(TeacherError, match=rf"certificates for HTTPS cannot be read .*SSL_CERT_FILE={missing}"):
        ask([snapshot("s1")], settings())
