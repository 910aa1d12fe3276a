"""What rules write is what stages read."""

from __future__ import annotations

import json
import shlex

import pytest
from pydantic import ValidationError

from teachable.artifacts.commandline import parse_all, parse_shell
from teachable.stages import STAGES
from teachable.study import configure
from teachable.workflow.lines import (
    Line,
    Placeholder,
    joined,
    log_of,
    operational_parameters,
    parameters,
    recorded,
    shell_line,
    timing_of,
)


def test_a_line_reads_back_as_it_was_written() -> None:
    settings = parameters(configure("smoke"), "train", run="Q1_demo", train_seed=2, beta=None)
    inputs = {"examples": "a dir/examples.parquet", "replay": "it's.parquet", "student": "s"}
    line = Line("train", inputs, {"adapter": "x;y", "record": "$HOME/r.json"}, settings)
    again = Line("link-student", {}, {"student": "s"}, "{}", '{"student": {"device": "cpu"}}')
    first, second = parse_shell(f"teachable {joined([line, again])}", STAGES)
    assert {name: [str(path) for path in paths] for name, paths in first.inputs.items()} == {
        name: [path] for name, path in inputs.items()
    }
    assert {name: str(path) for name, path in first.outputs.items()} == {"adapter": "x;y", "record": "$HOME/r.json"}
    assert first.params == json.loads(settings)
    assert second.params == {"student": {"device": "cpu"}}


def test_several_paths_of_one_input_keep_their_order() -> None:
    line = Line("concat", {"shards": ["2", "10", "1"]}, {"table": "t"}, "{}")
    (call,) = parse_all(shlex.split(str(line)))
    assert [str(path) for path in call.inputs["shards"]] == ["2", "10", "1"]


@pytest.mark.parametrize("stage", [name for name in STAGES if "*" not in STAGES[name].inputs])
def test_every_stage_has_a_line_that_snakemake_can_fill(stage: str) -> None:
    declared = STAGES[stage]
    text = shell_line(Line.of_rule(stage))
    assert text.startswith(f"teachable {stage} ")
    assert text.endswith(" > {log} 2>&1")
    assert all(f" {name}={{input.{name}}}" in text for name in declared.input_names)
    assert all(f" {name}={{output.{name}}}" in text for name in declared.outputs)
    assert ("--operational" in text) == (stage in operational_parameters(configure("smoke")))


def test_inputs_of_a_rule_may_be_named_or_left_out() -> None:
    assert "--in labeled={input.labeled} thresholds={input.thresholds} --out" in str(
        Line.of_rule("figure", ["labeled", "thresholds"])
    )
    assert "values" not in str(Line.of_rule("snapshots", without=["values"]))
    assert shell_line(Placeholder("{params.lines}")) == "teachable {params.lines} > {log} 2>&1"


def test_parameters_are_what_the_stage_declares_and_no_more() -> None:
    config = configure("smoke", seed=7)
    assert json.loads(parameters(config, "panels")) == {"seed": 7, "panels": config.panels.model_dump(mode="json")}
    teacher = json.loads(parameters(config, "advise", student_layout="compact", shard=0, shards=1))["teacher"]
    assert "budget_usd" not in teacher, "how the teacher is asked is no part of what is asked"
    assert "budget_usd" in json.loads(operational_parameters(config)["advise"])["teacher"]
    with pytest.raises(ValidationError, match="sharde"):
        parameters(config, "panels", sharde=1)


def test_what_is_recorded_is_what_results_are_made_with() -> None:
    config = configure("smoke", teacher={"budget_usd": 3.5}, resources={"threads": 3})
    assert recorded(config) == recorded(configure("smoke"))
    assert not {"resources", "ask_above", "monitoring"} & recorded(config).keys()
    assert recorded(config)["teacher"]["model"] == config.teacher.model
    assert recorded(configure("smoke", seed=7)) != recorded(config)


def test_logs_and_timings_lie_side_by_side() -> None:
    assert log_of("phase1/action_values/{shard}") == "logs/phase1/action_values/{shard}.log"
    assert timing_of("phase1/action_values/{shard}") == "results/benchmarks/phase1/action_values-{shard}.tsv"
    assert timing_of("phase1/label") == "results/benchmarks/phase1/label.tsv"


def test_watching_a_training_is_no_part_of_what_it_makes() -> None:
    watched = configure("smoke", monitoring={"tensorboard": "runs"})
    own = {"run": "Q1_demo", "train_seed": 1, "beta": None}
    assert parameters(watched, "train", **own) == parameters(configure("smoke"), "train", **own)
    assert operational_parameters(watched) == operational_parameters(configure("smoke"))
    assert recorded(watched) == recorded(configure("smoke"))


def test_the_expert_is_in_the_parameters_and_how_its_endpoint_is_asked_is_not() -> None:
    prices = {"teacher": {"prices": {"small": {"input": 0, "output": 0}}}}

    def params(**expert: object) -> str:
        config = configure("smoke", expert={"source": "teacher", "teacher": {"model": "small", **expert}}, **prices)
        return parameters(config, "action-values", shard=0, shards=1)

    oracle = parameters(configure("smoke", **prices), "action-values", shard=0, shards=1)
    assert json.loads(oracle)["expert"]["teacher"] is None
    assert params() != oracle
    assert params() == params(budget_usd=3.0, cache="elsewhere", concurrency=1)
    assert params() != params(temperature=1.0)
    assert params() != params(base_url="http://127.0.0.1:9/v1")
    other = configure("smoke", teacher={"model": "small", **prices["teacher"]})
    assert parameters(other, "action-values", shard=0, shards=1) == oracle, "whom the oracle does not ask"


def test_a_line_with_a_teacher_that_plays_gives_the_stage_its_whole_section() -> None:
    asked = {"source": "teacher", "teacher": {"budget_usd": 3.0}}
    for expert, budget in ((asked, 3.0), ({"source": "oracle"}, None)):
        config = configure("smoke", expert=expert)
        line = Line(
            "action-values",
            {"snapshots": "s"},
            {"estimates": "e"},
            parameters(config, "action-values", shard=0, shards=1),
            operational_parameters(config)["action-values"],
        )
        (call,) = parse_all(shlex.split(str(line)))
        made = STAGES["action-values"].params.model_validate(call.params).expert
        assert made == config.expert
        assert (made.teacher and made.teacher.budget_usd) == budget
