"""Whatever an endpoint answers: advice that the table allows, or one sentence; and never the key, a hang or a debt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from teacher.conftest import GOOD as THERE
from teacher.conftest import Reply, Server, completion

from teachable import tables
from teachable.workflow.lines import parameters

from .profile import cases
from .study import Case, Study, run

GOOD = {**THERE, "suggested_action": "wait"}  # always admissible in the toy world
KEY = "sk-fuzz-0123456789abcdefghijkl"
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "\ud83d", "\0", KEY, f"Bearer {KEY}", "<|im_end|>", "$\\frac$", "```json\n{}\n```", "</think>"]
    ),
    st.sampled_from(
        ["length", "content_filter", "stop", "tool_calls", "context_length_exceeded", "insufficient_quota"]
    ),
    st.lists(st.one_of(st.none(), st.integers(-1, 2), st.text(max_size=4)), max_size=3),
    st.dictionaries(st.sampled_from(["error", "message", "text", "type", "code"]), st.text(max_size=9), max_size=2),
    st.just({"error": {"message": "x" * 5000, "code": 400}}),
)
STATUS = st.sampled_from(
    [200, 200, 200, 200, 201, 204, 301, 302, 400, 401, 402, 403, 404, 408, 413, 422, 429, 451, 500, 503, 529, 599]
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "x-ratelimit-reset-requests", "Location", "Content-Encoding", "X-Key"]),
    st.sampled_from(["0", "-1", "nan", "1e400", "never", "Wed, 21 Oct 2015 07:28:00 GMT", "1ms", "9" * 40, KEY, "gzip", "http://127.0.0.1:9/"]),
    max_size=2,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, ...]] = []
    for key, inner in pairs:
        found += [(*path, key), *places(inner, (*path, key))]
    return found


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """A good answer with something else in it, an answer in it that is not as asked for, or no answer at all."""
    kind = draw(st.sampled_from(["outside", "inside", "cut", "text", "json", "deep", "good"]))
    body = json.loads(completion(GOOD))
    if kind == "good":
        return completion(GOOD)
    if kind in ("outside", "inside"):
        value: Any = body if kind == "outside" else dict(GOOD)
        for _ in range(draw(st.integers(1, 2))):
            *path, last = draw(st.sampled_from(places(value)))
            there = value
            for key in path:
                there = there[key]
            if draw(st.integers(0, 3)):
                there[last] = draw(ODD)
            elif isinstance(there, dict):
                del there[last]
            if not places(value):
                break
        if kind == "inside":
            body["choices"][0]["message"]["content"] = json.dumps(value)
            value = body
        return json.dumps(value)
    text = completion(GOOD)
    if kind == "cut":
        return text[: draw(st.integers(0, len(text)))]
    if kind == "deep":
        return draw(
            st.sampled_from(["[" * 100_000, '{"a":' * 5_000, '{"choices":' + "[" * 3000 + "]" * 3000 + "}", "1" * 5000])
        )
    return draw(st.text(max_size=80)) if kind == "text" else json.dumps(draw(ODD))


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    return Reply(draw(bodies()), draw(STATUS), draw(HEADERS), cut=draw(st.integers(0, 9)) == 0)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def asking(study: Study, url: str, cache: Path) -> Case:
    """The stage's own line, with an endpoint for a teacher."""
    changes = {
        "source": "openai",
        "base_url": url,
        "max_retries": 1,
        "timeout_s": 5.0,
        "concurrency": 1,
        "longest_wait_s": 0.05,
        "cache": str(cache),
    }
    teacher = study.config.teacher.model_copy(update=changes)
    config = study.config.model_copy(update={"teacher": teacher})
    case = study.cases["advise"]
    own = {"student_layout": "compact", "shard": 0, "shards": 8}
    knobs = {name: changes[name] for name in ("timeout_s", "concurrency", "longest_wait_s", "cache")}
    knobs |= {"api_key_env": "TEACHABLE_FUZZ_KEY", "budget_usd": 1.0}
    return Case(
        type(case.line)(
            "advise",
            case.line.inputs,
            case.line.outputs,
            parameters(config, "advise", **own),
            json.dumps({"teacher": knobs}),
        ),
        case.tables,
    )


@cases("endpoints")
@given(st.lists(replies(), min_size=1, max_size=3))
def test_an_endpoint(
    study: Study, server: Server, tmp_path_factory: pytest.TempPathFactory, script: list[Reply]
) -> None:
    directory = tmp_path_factory.mktemp("endpoint")
    server.requests.clear()
    server.script = list(script)
    turn = iter(range(10**9))
    server.otherwise = lambda request: script[next(turn) % len(script)]
    case = asking(study, server.url, directory / "cache").elsewhere(directory / "out")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TEACHABLE_FUZZ_KEY", KEY)
            first = run(case.argv)
            asked = len(server.requests)
            again = run(case.argv)  # what is cached must be no trouble later
        for ended in (first, again):
            if ended.status:
                assert len(ended.sentence) < 1500, ended.sentence
                assert "teacher" in ended.sentence, ended.sentence
            assert KEY not in ended.said
        if first.status == 0:
            assert again.status == 0, again.said
            advice = tables.read(Path(case.line.outputs["advice"]), tables.ADVICE)
            refused = advice["reason"].str.contains("answered HTTP").any()  # a refusal costs nothing and is not kept
            assert refused or len(server.requests) == asked, "an answer was paid for twice"
            assert advice.filter(pl.col("valid") & pl.col("suggested_action").is_null()).is_empty()
        for path in directory.rglob("*"):
            assert not path.is_file() or KEY.encode() not in path.read_bytes(), f"the key is in {path.name}"
        assert asked < 60
    finally:
        shutil.rmtree(directory)
