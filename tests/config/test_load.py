"""The configuration is typed and closed: a typo stops with the key, the file and the nearest valid name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from teachable.config import Config, load_config, preset_names
from teachable.config.load import merge, read_yaml
from teachable.errors import ConfigError

ROOT = Path(__file__).parents[2]
RAW = read_yaml(ROOT / "workflow_config.yaml")
WARM = RAW["presets"]["pretrained"]["student"]["warm_start"]


@pytest.mark.parametrize("preset", preset_names(RAW))
def test_every_preset_resolves(preset: str) -> None:
    assert load_config(RAW, preset=preset).preset == preset


@pytest.mark.parametrize("preset", preset_names(RAW))
def test_who_selects_by_the_expert_s_failures_has_some(preset: str) -> None:
    config = load_config(RAW, preset=preset)
    assert "eef_failures" in config.selection.methods
    assert config.rollouts.expert_episodes_per_task > 0
    assert config.snapshots.max_expert_snapshots > 0
    assert config.rollouts.expert_noise > 0, "the solver by itself never fails"


@pytest.mark.parametrize("preset", ["pilot", "paper"])
def test_fifty_snapshots_a_quadrant_can_be_had(preset: str) -> None:
    """Of the held-out side, where quadrants are alike and the student fails as often as not."""
    config = load_config(RAW, preset=preset)
    failures = sum(config.tasks.train.values()) * config.rollouts.episodes_per_task * 0.5
    assert failures * config.snapshots.per_episode >= config.snapshots.max_snapshots
    assert config.snapshots.per_episode <= config.snapshots.farthest - config.snapshots.nearest + 1
    assert config.panels.validation_per_quadrant == 50
    assert config.panels.held_out * config.snapshots.max_snapshots >= 4 * config.panels.validation_per_quadrant


def test_default_preset_is_laptop() -> None:
    assert load_config(RAW).preset == "laptop"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({"trainin": {}}, "trainin: unknown key; did you mean 'training'"),
        (
            {"training": {"learning_rat": 1}},
            "training.learning_rat: unknown key; did you mean 'learning_rate'",
        ),
        ({"band_low": 0.1}, "did you mean 'builtin.band_low'"),
        ({"training": {"epochs": "three"}}, "training.epochs"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"training": 3}, "training: must be a section"),
        ({"student": {"source": "hf"}}, "student.path is needed"),
        ({"student": {"temperature": 0}}, "student.temperature"),
        ({"student": {"warm_start": WARM}}, "student: student.warm_start is of a pretrained student"),
        (
            {"student": {"source": "hf", "path": "x/y", "warm_start": WARM}, "tasks": {"warmstart": {"easy": 0}}},
            "student.warm_start learns from them",
        ),
        ({"student": {"source": "hf", "path": "x/y", "warm_start": {**WARM, "noise": 2}}}, "student.warm_start.noise"),
        ({"student": {"source": "hf", "path": "x/y", "warm_start": {**WARM, "nois": 0}}}, "student.warm_start.nois"),
        ({"student": {"source": "hf", "path": "x/y", "warm_start": {**WARM, "band_low": 0.9}}}, "must not exceed"),
        ({"tasks": {"train": {"easy": -3}}}, "tasks.train.easy"),
        ({"world": {"prune": []}}, "world.prune: unknown key"),
        ({"tasks": {"test": {}}}, "at least one game"),
        ({"labels": {"thresholds": "given"}}, "labels.given_U"),
        ({"snapshots": {"nearest": 9}}, "nearest must not exceed"),
        ({"training": {"epochs": True}}, "training.epochs: must be a number, not true"),
        ({"tasks": {"train": {"easy": True}}}, "tasks.train.easy: must be a number, not true"),
        ({"selection": {"k": [True]}}, "selection.k.0: must be a number, not true"),
        ({"selection": {"k": [4, 8, 4]}}, "selection.k: 4 stands there twice"),
        ({"selection": {"methods": ["random", "random"]}}, "selection.methods: 'random' stands there twice"),
        ({"evaluation": {"drift_runs": ["Q9_nope"]}}, "evaluation.drift_runs: 'Q9_nope' is not a run"),
        ({"evaluation": {"drift_runs": ["S_oracle_k4"]}}, "only those of the matrix have checkpoints"),
        (
            {"evaluation": {"drift_runs": ["Q4_dpo"]}},
            "'Q4_dpo', which is not trained: add Q4 to dpo.quadrants or leave it",
        ),
        ({"dpo": {"quadrants": ["Q5"]}}, "dpo.quadrants.0: Input should be 'Q1', 'Q2', 'Q3' or 'Q4' (got 'Q5')"),
        ({"dpo": {"quadrants": ["Q4", "Q4"]}}, "dpo.quadrants: 'Q4' stands there twice"),
        ({"dpo": {"beta": 0}}, "dpo.beta: Input should be greater than 0 (got 0)"),
        ({"dpo": {"run": []}}, "dpo.run: unknown key"),
        ({"teacher": {"base_url": "localhost:8000"}}, "teacher.base_url: must look like http://host:port/v1"),
        ({"teacher": {"source": "openai", "model": "gpt-9"}}, "add teacher.prices.gpt-9: {input: ..., output: ...}"),
        ({"teacher": {"prices": {"gpt-4o-mini": {"input": -1, "output": 0}}}}, "teacher.prices.gpt-4o-mini.input"),
        ({"presets": {"laptop": {}}}, "this is a whole configuration. Keep in it only"),
        ({"preset": "laptop", "training.epochs": 5}, "training.epochs: unknown key; did you mean 'training'"),
    ],
)
def test_bad_input_is_one_clear_sentence(override: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({**RAW, "override": override}, source="mine.yaml")
    message = str(caught.value)
    assert expected in message
    assert message.startswith("mine.yaml: ")
    assert "\n" not in message


def test_a_key_in_place_of_its_variable_s_name_is_refused_and_not_shown() -> None:
    for key in ("sk-proj-abcdef0123456789", "gsk_abcdef0123456789"):
        with pytest.raises(ConfigError, match=r"teacher.api_key_env: must be the name of an environment") as caught:
            load_config({**RAW, "override": {"teacher": {"api_key_env": key}}})
        assert key not in str(caught.value)
    assert load_config({**RAW, "override": {"teacher": {"api_key_env": ""}}}).teacher.api_key_env == ""


def test_who_gave_a_wrong_value_is_named() -> None:
    for override, expected in (({"training": {"epochs": 0}}, "training.epochs"), ({"trainin": {}}, "trainin")):
        with pytest.raises(ConfigError, match=f"^mine.yaml: {expected}"):
            load_config({**RAW, "override": override}, given="mine.yaml")
    wrong = {**RAW, "training": {**RAW["training"], "batch_size": 0}, "override": {"training": {"seeds": 2}}}
    with pytest.raises(ConfigError, match=r"^workflow_config.yaml: training.batch_size"):
        load_config(wrong, given="mine.yaml")


@pytest.mark.parametrize("preset", ["", ["laptop"], {"laptop": 1}, 3])
def test_a_preset_that_is_no_name_is_refused(preset: object) -> None:
    with pytest.raises(ConfigError, match="there is no preset"):
        load_config(RAW, preset=preset)  # type: ignore[arg-type]


@pytest.mark.parametrize("presets", ["laptop", ["laptop"], {"laptop": "x"}])
def test_presets_that_are_no_sections_are_refused(presets: object) -> None:
    with pytest.raises(ConfigError, match="presets"):
        load_config({**RAW, "presets": presets})


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'laptop'"):
        load_config(RAW, preset="lapto")


def test_the_command_line_beats_the_preset_and_the_preset_the_file() -> None:
    config = load_config({**RAW, "override": {"training": {"epochs": 7}}}, preset="paper")
    assert config.training.epochs == 7
    assert config.training.learning_rate == pytest.approx(2e-5)
    assert config.training.batch_size == RAW["training"]["batch_size"]


def test_counts_per_family_are_replaced_whole() -> None:
    merged = merge({"tasks": {"train": {"easy": 1, "hard": 2}}}, {"tasks": {"train": {"easy": 5}}})
    assert merged["tasks"]["train"] == {"easy": 5}


def test_gaps_are_replaced_whole_and_checked() -> None:
    one = {"builtin": {"gaps": {"go": {"known": 0.2, "otherwise": "dither"}}}}
    assert set(load_config({**RAW, "override": one}).builtin.gaps) == {"go"}
    assert load_config({**RAW, "override": {"builtin": {"gaps": {}}}}).builtin.gaps == {}
    for wrong, place in (
        ({"go": {"known": 2, "otherwise": "dither"}}, "builtin.gaps.go.known"),
        ({"go": {"known": 0.2, "otherwise": "sulk"}}, "builtin.gaps.go.otherwise"),
        ({"go": {"known": 0.2}}, "builtin.gaps.go.otherwise"),
    ):
        with pytest.raises(ConfigError, match=place):
            load_config({**RAW, "override": {"builtin": {"gaps": wrong}}})


def test_a_missing_or_torn_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / "absent.yaml")
    torn = tmp_path / "torn.yaml"
    torn.write_text("a: [1,")
    with pytest.raises(ConfigError, match=r"torn\.yaml: is not valid YAML"):
        read_yaml(torn)
    torn.write_text("training:\n  epochs: 3\n  seeds: 1\n  epochs: 5\n")
    with pytest.raises(ConfigError, match="'epochs' stands there twice, again in line 4"):
        read_yaml(torn)
    torn.write_bytes(b"seed: \xff\n")
    with pytest.raises(ConfigError, match=r"torn\.yaml: is not a text in UTF-8"):
        read_yaml(torn)


def test_generated_reference_is_up_to_date() -> None:
    from teachable.workflow.configuration import reference_page

    page = ROOT / "docs" / "configuration.md"
    assert page.read_text() == reference_page(), "run `make docs`"
    schema = ROOT / "docs" / "configuration.schema.json"
    assert json.loads(schema.read_text()) == Config.model_json_schema(), "run `make docs`"


def test_who_names_another_world_begins_with_its_own_options() -> None:
    raw = {**RAW, "override": {"world": {"name": "corridor", "options": {"length": 3}}}}
    config = load_config(raw, preset="smoke")
    assert (config.world.options, config.tasks.options) == ({"length": 3}, {})
    assert config.world.max_steps == RAW["presets"]["smoke"]["world"]["max_steps"]
    same = load_config({**RAW, "override": {"world": {"name": "textworld", "options": {"turn_limit_s": 3}}}})
    assert same.world.options == {**RAW["world"]["options"], "turn_limit_s": 3}


def test_a_home_directory_is_one_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    places = {
        "student": {"source": "hf", "path": "~/models/small"},
        "teacher": {"cache": "~/answers"},
        "store": {"path": "~/store"},
        "expert": {"source": "checkpoint", "path": "~/models/large"},
    }
    config = load_config({**RAW, "override": places})
    assert config.student.path == "/home/me/models/small"
    assert config.teacher.cache == "/home/me/answers"
    assert config.store.path == "/home/me/store"
    assert config.expert.path == "/home/me/models/large"
    assert load_config({**RAW, "override": {"student": {"source": "hf", "path": "Qwen/Qwen3-8B"}}}).student.path == (
        "Qwen/Qwen3-8B"
    )
