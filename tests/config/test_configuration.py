"""What the world has a say in: its options, families and skills are checked before any job, and completed."""

from __future__ import annotations

from pathlib import Path

import pytest

from teachable.config.load import read_yaml
from teachable.errors import ConfigError
from teachable.stages import STAGES
from teachable.workflow.configuration import configuration, making_options

RAW = read_yaml(Path(__file__).parents[2] / "workflow_config.yaml")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({"world": {"name": "textwrld"}}, "world.name: there is no world called 'textwrld'; did you mean 'textworld'?"),
        (
            {"world": {"options": {"prun": []}}},
            "world.options.prun: world 'textworld' has no such option; did you mean",
        ),
        ({"world": {"options": {"prune": ["eat"]}}}, "world.options.prune.0: Input should be 'put'"),
        ({"world": {"options": {"turn_limit_s": 0}}}, "world.options.turn_limit_s: Input should be greater than 0"),
        (
            {"tasks": {"train": {"eazy": 3}}},
            "tasks.train.eazy: world 'textworld' has no such family; did you mean 'easy'?",
        ),
        ({"tasks": {"test_options": {"foods": "odd"}}}, "tasks.test_options.foods: Input should be 'train' or 'test'"),
        (
            {"builtin": {"gaps": {"fly": {"known": 0.2, "otherwise": "dither"}}}},
            "builtin.gaps.fly: world 'textworld' has no such skill; it has: go, open",
        ),
    ],
)
def test_what_the_world_does_not_have_is_one_clear_sentence(override: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configuration({**RAW, "override": override}, source="mine.yaml")
    assert str(caught.value).startswith(f"mine.yaml: {expected}")
    assert "\n" not in str(caught.value)


def test_options_left_out_are_those_given_their_defaults() -> None:
    given, entry = configuration(RAW)
    bare = {**RAW, "world": {**RAW["world"], "options": {}}, "tasks": {**RAW["tasks"], "options": {}}}
    left_out, _ = configuration(bare)
    assert given == left_out
    assert entry.name == "textworld"


def test_options_of_the_test_games_leave_the_others_alone() -> None:
    config, _ = configuration({**RAW, "override": {"tasks": {"test_options": {"foods": "test"}}}})
    assert [making_options(config, split)["foods"] for split in ("warmstart", "train", "test")] == [
        "train",
        "train",
        "test",
    ]
    plain, _ = configuration({**RAW, "override": {"tasks": {"test_options": {"foods": "train"}}}})
    assert plain.tasks.test_options == {}  # nothing is different


def test_a_stage_has_the_code_of_the_parts_of_the_world_that_it_runs() -> None:
    base = "teachable.worlds.textworld."
    params = {"world_name": "textworld"}
    assert STAGES["features"].modules(params)[2:] == (f"{base}words",)
    assert STAGES["make-tasks"].modules(params)[2:] == ("teachable.generation.textworld",)
    assert STAGES["advise"].modules({"world": {"name": "textworld"}})[2:] == (f"{base}play", f"{base}reasons")
    assert STAGES["train"].modules(params)[2:] == ()
    assert STAGES["table"].modules({"item": "h7_2", "world_name": None}) == (
        "teachable.stages.table",
        "teachable.tables",
        "teachable.paper.tables.h7_2",
    )
