"""Configuration files and overrides of every kind: the right configuration, or one sentence that says what to mend."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from configured import RAW
from hypothesis import given
from hypothesis import strategies as st

from teachable.config import Config
from teachable.errors import ConfigError
from teachable.selection import check_known
from teachable.workflow.configuration import configuration, making_options
from teachable.workflow.lines import operational_parameters, parameters

from .profile import cases
from .study import run

TEXT = (Path(__file__).parents[2] / "workflow_config.yaml").read_text()
PRESETS = ("laptop", "smoke", "pretrained", "pilot", "paper")
MENDS = re.compile(r"^[^:]+(: [\w.\[\]'\" -]+)+")


def leaves(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every key and of every value in lists."""
    pairs = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from leaves(value, (*path, key))


PLACES = sorted(leaves({key: value for key, value in RAW.items() if key != "presets"}), key=str)
# What people write where something else belongs, and what no one should.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([10**6, -(10**6), 2**31, 2**63, 2**64, 10**30, 10**400]),
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 1.5, 1e-9, 1e308, float("inf"), float("nan")]),
    st.sampled_from(
        ["", " ", "null", "true", "1", "0.5", "1e-3", "inf", "~", "a/b", "/", "..", "\0", "ä", "💥", "\ud83d"]
    ),
    st.sampled_from(
        ["http://", "localhost:8000", "http://[::1", "http://h:99999/v1", "http://u:p@h/v1", "file:///etc"]
    ),
    st.text(max_size=30),
    st.lists(st.one_of(st.none(), st.integers(-2, 5), st.text(max_size=5)), max_size=3),
    st.dictionaries(st.text(max_size=6), st.one_of(st.none(), st.integers(-2, 5), st.text(max_size=5)), max_size=2),
    st.sampled_from([[[]], [{}], {"": {}}, {1: 2}, {None: None}, {True: 1}, [float("nan")] * 2, ["random", "random"]]),
)
KEYS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["epoch", "Training", "training", "presets", "override", "preset", "options", "__class__", "seed"]),
    st.integers(-1, 2),
    st.none(),
)


@st.composite
def changed(draw: st.DrawFn, values: Any, places: list[tuple[Any, ...]], most: int = 3) -> Any:
    """``values`` with a few places set, taken away, called otherwise or copied from elsewhere."""
    made = copy.deepcopy(values)
    for _ in range(draw(st.integers(1, most))):
        *path, last = draw(st.sampled_from(places))
        inside = made
        try:
            for key in path:
                inside = inside[key]
            value = inside[last]
        except (KeyError, IndexError, TypeError):
            continue
        kind = draw(st.sampled_from(["set", "set", "set", "drop", "rename", "add", "text"]))
        if kind == "set":
            inside[last] = draw(ODD)
        elif kind == "drop":
            del inside[last]
        elif kind == "rename" and isinstance(inside, dict):
            inside[draw(KEYS)] = inside.pop(last)
        elif kind == "add" and isinstance(value, dict):
            value[draw(KEYS)] = draw(ODD)
        elif kind == "text":
            inside[last] = str(value)
    return made


def fits(config: Config) -> None:
    """A configuration that was accepted is one that every stage accepts and that can be written and read again."""
    text = config.model_dump_json()
    assert Config.model_validate_json(text) == config
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is accepted"))
    operational_parameters(config)
    for split in ("train", "test"):
        making_options(config, split)
    for stage in ("rollout", "snapshots", "label", "panels", "predict", "continuations"):
        parameters(config, stage)
    assert sum(config.tasks.train.values()) <= 1_000_000
    assert "\\u0000" not in text


def judge(sentence: str) -> None:
    """One line that names the file and the key and is not an echo of a library's own words."""
    assert "\n" not in sentence, sentence
    assert sentence.count("For further information") == 0, sentence
    assert MENDS.match(sentence), sentence
    assert len(sentence) < 1500, sentence
    sentence.encode()  # what cannot be printed cannot be read


@cases("configuration", 0.4)
@given(changed(RAW, PLACES), st.sampled_from(PRESETS))
def test_a_changed_configuration(raw: Any, preset: str) -> None:
    try:
        config, _ = configuration(raw, source="mine.yaml", preset=preset)
        check_known(config.selection.methods)
    except ConfigError as error:
        judge(str(error))
    else:
        fits(config)


OVERRIDES = st.one_of(
    st.dictionaries(st.sampled_from([key for key in RAW if key != "presets"]), ODD, min_size=1, max_size=2),
    st.builds(
        lambda place, value: {place[0]: {place[1]: value} if len(place) == 2 else {place[1]: {place[2]: value}}},
        st.sampled_from([place for place in PLACES if len(place) in (2, 3) and isinstance(place[-1], str)]),
        ODD,
    ),
    st.dictionaries(KEYS, ODD, min_size=1, max_size=2),
)


@cases("configuration", 0.4)
@given(OVERRIDES, st.one_of(st.sampled_from(PRESETS), ODD))
def test_an_override(override: Any, preset: Any) -> None:
    """As the Snakefile hands over what stands behind ``--config``."""
    try:
        config, _ = configuration({**RAW, "override": override}, preset=preset, given="--config")
        check_known(config.selection.methods)
    except ConfigError as error:
        judge(str(error))
    else:
        fits(config)


STRAY = [
    "&a",
    "*a",
    "<<: *a",
    "? [1]",
    "!!python/object:os.system x",
    "!!binary x",
    "%YAML 9",
    "---",
    "...",
    "a: &b [*b]",
    "|",
    "2020-13-45: x",
    "seed: 2020-13-45",
    "{",
    "]",
    ": ",
    "!!timestamp x",
    "!!float x",
    "!!int x",
    "!!set {a}",
    "seed: 0b2",
    "seed: 1_0",
    "= : 1",
    "x: =",
    "&a a: *a",
    "\x00",
    "\ufeff",
    "<<: {seed: 2}",
    "[a, b]: c",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The text of the file, cut, with bytes changed, lines moved or indented otherwise; or any bytes."""
    data = TEXT.encode()
    kind = draw(st.sampled_from(["cut", "flip", "lines", "indent", "insert", "any", "yaml"]))
    if kind == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if kind == "flip":
        changed = bytearray(data)
        for place in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
            changed[place] ^= 1 << draw(st.integers(0, 7))
        return bytes(changed)
    lines = TEXT.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    if kind == "lines":
        lines[at:at] = [lines.pop(draw(st.integers(0, len(lines) - 1)))] * draw(st.integers(1, 2))
    elif kind == "indent":
        lines[at] = draw(st.sampled_from(["  ", "\t", " ", "- "])) + lines[at].lstrip()
    elif kind == "insert":
        lines[at:at] = draw(st.lists(st.sampled_from(STRAY), min_size=1, max_size=2))
    elif kind == "any":
        return draw(st.binary(max_size=60))
    elif kind == "yaml":
        return yaml.dump(draw(ODD), allow_unicode=True).encode("utf-8", "surrogatepass")
    return "\n".join(lines).encode()


@cases("configuration", 0.2)
@given(damaged(), st.sampled_from((None, *PRESETS)))
def test_a_damaged_file(tmp_path_factory: pytest.TempPathFactory, data: bytes, preset: str | None) -> None:
    path = tmp_path_factory.mktemp("configuration") / "mine.yaml"
    path.write_bytes(data)
    ended = run(["config", "--file", str(path), *(["--preset", preset] if preset else [])])
    if ended.status:
        sentence = ended.sentence
        judge(sentence)
        assert "mine.yaml" in sentence
    else:
        fits(Config.model_validate(yaml.safe_load(ended.said)))


WORDS = st.one_of(
    st.sampled_from(["--in", "--out", "--params", "--operational", "--log", "--threads", "--then", "--help", "-h"]),
    st.sampled_from(
        ["tasks=x", "tasks=", "=x", "a=b", "splits=out.json", "{}", "[]", "null", '{"seed": 1}', "{", "NaN"]
    ),
    st.text(max_size=12),
)
NAMES = st.one_of(
    st.sampled_from(
        ["check-splits", "label", "train", "report", "figure", "store", "config", "concat", "resolve-config"]
    ),
    st.text(max_size=8),
)


@cases("configuration", 0.1)
@given(NAMES, st.lists(WORDS, max_size=8))
def test_a_command_line(tmp_path_factory: pytest.TempPathFactory, name: str, words: list[str]) -> None:
    """Nothing that is typed behind ``teachable`` ends in a traceback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("line"))
        patch.setenv("TEACHABLE_STORE", "off")
        ended = run([name, *words])
    assert ended.status in (0, 1, 2)
    if ended.status == 1:
        assert len(ended.sentence) < 1500
    assert ended.said.strip() or ended.status == 0
