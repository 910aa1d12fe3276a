"""One reading of a stage's line: by the program, the store and the executor."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from teachable.artifacts.commandline import CommandLineError, parse, parse_shell, recipe, validated
from teachable.config.section import OPERATIONAL, Section
from teachable.errors import MissingInput


class Asking(Section):
    model: str = "m"
    patience: Annotated[int, OPERATIONAL] = 1


class Params(BaseModel):
    rate: float = 0.5
    names: tuple[str, ...] = ()
    asking: Asking = Asking()


@dataclass(frozen=True)
class Toy:
    name: str = "toy"
    inputs: tuple[str, ...] = ("text", "shards*", "extra?")
    outputs: tuple[str, ...] = ("out",)
    params: type[BaseModel] = Params
    beside: str = ""
    there: Mapping[str, Any] = field(default_factory=dict)

    def look_beside(self, params: BaseModel) -> Mapping[str, Any]:
        return self.there

    def modules(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        return ("teachable.seeds",)


STAGES = {"toy": Toy()}


def test_names_paths_and_parameters() -> None:
    call = parse(
        [
            "toy",
            "--in",
            "text=a/b=c.txt",
            "shards=1",
            "2",
            "3",
            "--in",
            "shards=4",
            "--out",
            "out=o",
            "--params",
        ]
        + ['{"rate": 1}']
    )
    assert call.inputs == {"text": [Path("a/b=c.txt")], "shards": [Path(n) for n in "1234"]}
    assert call.outputs == {"out": Path("o")}
    assert call.params == {"rate": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--in a=b", "name of the stage"),
        ("toy --in nopath --out out=o", "NAME=PATH"),
        ("toy --in text= --out out=o", "NAME=PATH"),
        ("toy --out out=a --out out=b", "twice"),
        ("toy --out out=a --params {", "not JSON"),
        ("toy --out out=a --params []", "JSON object"),
        ("toy --out out=a --operational []", "JSON object"),
        ('toy --out out=a --operational {"asking":3}', "asking must be a JSON object"),
        ("toy --out out=a --par {}", "unrecognized"),
        ("toy --out out=a stray", "NAME=PATH"),
    ],
)
def test_bad_lines_are_one_sentence_and_no_exit(line: str, message: str) -> None:
    with pytest.raises(CommandLineError, match=message):
        parse(line.split())


@given(
    path=st.text(st.characters(blacklist_characters="\0\n\r", blacklist_categories=("Cs",)), min_size=1, max_size=20),
    text=st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=30),
)
def test_what_is_quoted_for_the_shell_is_read_back(path: str, text: str) -> None:
    path = f"d/{path}"
    params = json.dumps({"names": [text]})
    read, settings = shlex.quote(f"text={path}"), shlex.quote(params)
    line = f"teachable toy --in {read} --out out=o --params {settings} > log 2>&1"
    [call] = parse_shell(line, STAGES)
    assert call.inputs["text"] == [Path(path)]
    assert call.params == {"names": [text]}


@pytest.mark.parametrize(
    "line",
    [
        "teachable toy --out out=o",
        "  PYTHONHASHSEED=0 A='b c' teachable toy --out out=o  ",
        "/opt/bin/teachable toy --out out=o 2> log",
        "python -m teachable toy --out out=o >> log 2>&1",
        "python3.11 -m teachable toy --out out=o &> log",
        "teachable toy \\\n  --out out=o",
        "teachable toy --out out=o >log 2>&1",
    ],
)
def test_a_stage_is_recognised(line: str) -> None:
    [call] = parse_shell(line, STAGES)
    assert call.outputs == {"out": Path("o")}


def test_several_stages_of_one_process() -> None:
    line = "teachable toy --out out=a --then toy --in text=x --out out=b > log 2>&1"
    assert [call.outputs["out"] for call in parse_shell(line, STAGES)] == [Path("a"), Path("b")]
    with pytest.raises(CommandLineError, match="name of the stage"):
        parse_shell("teachable toy --out out=a --then", STAGES)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "touch o",
        "teachable",
        "teachable store status",
        "teachable toy --out out=o && touch x",
        "teachable toy --out out=o; touch x",
        "teachable toy --out out=o | tee log",
        "teachable toy --out out=o &",
        "teachable toy --in shards=*.txt --out out=o",
        "teachable toy --in text=$HOME/x --out out=o",
        'teachable toy --in "text=$HOME/x" --out out=o',
        "teachable toy --in text=`ls` --out out=o",
        "teachable toy --in text=~/x --out out=o",
        "teachable toy --out out=o < x",
        "teachable toy --out out=o\ntouch x",
        "teachable toy --out 'out=o",
        "(teachable toy --out out=o)",
    ],
)
def test_anything_else_is_left_to_the_shell(line: str) -> None:
    assert parse_shell(line, STAGES) == []


def test_a_recipe_has_defaults_filled_in_and_inputs_by_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("same")
    (tmp_path / "three").write_text("other")

    def key(line: str) -> str:
        return recipe(parse(shlex.split(line)), Toy()).key

    base = key(f"toy --in text={tmp_path}/one --out out=a")
    assert key(f"toy --in text={tmp_path}/two --out out=elsewhere/b") == base
    assert key(f"""toy --in text={tmp_path}/one --out out=a --params '{{"names": [], "rate": 0.50}}'""") == base
    assert key(f"""toy --in text={tmp_path}/one --out out=a --params '{{"rate": 0.51}}'""") != base
    assert key(f"toy --in text={tmp_path}/three --out out=a") != base
    assert key(f"toy --in text={tmp_path}/one extra={tmp_path}/two --out out=a") != base
    assert key(f"toy --in text={tmp_path}/one --out out=a --log x --threads 3") == base


def test_what_a_stage_finds_beside_its_inputs_is_part_of_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("same")
    call = parse(shlex.split(f"toy --in text={tmp_path}/one --out out=a"))
    keys = [recipe(call, Toy(there=there)).key for there in ({}, {"model": "a"}, {"model": "b"}, {"model": "a"})]
    assert len(set(keys)) == 3
    assert keys[1] == keys[3]


def test_operational_parameters_are_no_part_of_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("same")
    line = f"toy --in text={tmp_path}/one --out out=a"
    base = recipe(parse(shlex.split(line)), Toy())
    patient = parse([*shlex.split(line), "--operational", '{"asking": {"patience": 9}}'])
    assert validated(patient, Toy()) == Params(asking=Asking(patience=9))
    assert recipe(patient, Toy()).key == base.key
    assert "patience" not in str(base.params)
    other = parse(
        [*shlex.split(line), "--params", '{"asking": {"model": "n"}}', "--operational", '{"asking": {"patience": 9}}']
    )
    assert validated(other, Toy()) == Params(asking=Asking(model="n", patience=9))
    assert recipe(other, Toy()).key != base.key


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("toy --out out=o", "no path given for text"),
        ("toy --in text=one", "no path given for out"),
        ("toy --in text=one two --out out=o", "takes one path"),
        ("toy --in text=one wrong=one --out out=o", "unknown input 'wrong'"),
        ("toy --in text=one --out out=o other=p", "unknown output 'other'"),
        ('toy --in text=one --out out=o --params {"rate":"x"}', "rate"),
    ],
)
def test_what_the_stage_does_not_take_is_said(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).touch()
    with pytest.raises(CommandLineError, match=message):
        recipe(parse(line.split()), Toy())


def test_an_absent_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="nowhere"):
        recipe(parse(["toy", "--in", f"text={tmp_path}/nowhere", "--out", "out=o"]), Toy())


def test_a_recipe_notes_where_things_were(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    made = recipe(parse(["toy", "--in", f"text={tmp_path}/a", "--out", "out=o"]), Toy())
    assert made.notes["inputs"] == {"text": [f"{tmp_path}/a"]}
    assert made.notes["outputs"] == {"out": "o"}
    assert made.notes["modules"] == ["teachable.seeds"]
    assert set(made.notes["code"]) == {"teachable.seeds"}
    assert "notes" not in made.document()
