"""A checkpoint that plays on: another real (tiny, untrained) model, or an adapter of the student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from configured import section
from rollouts.tiny import GAMES, Maze, TinyWorld, make_task

from teachable.config.expert import Expert
from teachable.errors import ConfigError
from teachable.pipeline.experts import beside, expert_of, link_expert
from teachable.rollouts import EpisodeSpec, PlaySettings, Query, Start, TreeSettings, play, tree_values
from teachable.stages import STAGES
from teachable.student import Student
from teachable.student.builder import StudentSettings, new_model, save_student, train_tokenizer
from teachable.student.completions import Example
from teachable.student.errors import StudentError
from teachable.student.layouts.compact import CompactLayout
from teachable.student.lora import LoraSettings, train_lora

SEEDS = [s for s in range(60) if 0 in Maze(s).distance() and len(Maze(s).commands(0)) > 2][:6]
PLAY = PlaySettings(max_steps=6, stop_unwinnable=True)
TREE = TreeSettings(prompts=8, episodes=4, play=PLAY, expert_episodes=4)
STUDENT = section("student", device="cpu", dtype="float32")


def a_model(out: Path, seed: int) -> Path:
    torch.set_num_threads(1)
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=300)
    tokenizer = train_tokenizer(["go a", "go b", "go c", "room 1 you go from by begin get out"], 300)
    model = new_model(settings, len(tokenizer), seed=seed)
    save_student(out, model, tokenizer, CompactLayout("recipe"), name=out.name, about={})
    return out


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student, two other models, and an adapter of the student."""
    root = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("student", "one", "two"), 3):
        a_model(root / name, seed)
    lora = LoraSettings(rank=4, alpha=8, learning_rate=0.1, max_steps=8, schedule="constant", warmup=0.0)
    student = Student.load(root / "student", device="cpu")
    train_lora(student, [Example("room 0\nact:", "go a")], lora, seed=1, out=root / "adapter", name="tuned")
    return root


@pytest.fixture
def student(place: Path) -> Student:
    return Student.load(place / "student", device="cpu")


def chosen(path: Path, **changes: Any) -> Expert:
    return section("expert", source="checkpoint", path=str(path), **changes)


def linked(path: Path, student: Student) -> dict[str, Any]:
    """As it is read from its file."""
    return json.loads(json.dumps(link_expert(chosen(path), STUDENT, lambda: student)))


def p_expert(section_: Expert, settings: dict[str, Any] | None, student: Student) -> list[float]:
    queries = [Query(Start(make_task(seed), (), None, f"s{seed}")) for seed in SEEDS]
    with expert_of(section_, settings, student=lambda: student) as expert:
        made = tree_values(student, TinyWorld(), GAMES, queries, TREE, run_seed=1, expert=expert)
    assert set(made.episodes.filter(behaviour="expert")["model"]) == {section_.name}
    return made.estimates.filter(quantity="p_expert")["value"].to_list()


def greedily(policy: Student, adapter: str | None = None) -> list[float]:
    """What the policy itself wins, played greedily."""
    specs = [
        EpisodeSpec(f"s{seed}", Start(make_task(seed)), model=adapter or "base", adapter=adapter, greedy=True)
        for seed in SEEDS
    ]
    return [float(won) for won in play(policy, TinyWorld(), GAMES, specs, PLAY, run_seed=1).episodes["success"]]


def test_another_model_plays_on_as_it_plays_by_itself(place: Path, student: Student) -> None:
    for name in ("one", "two"):
        settings = linked(place / name, student)
        assert settings["kind"] == "model"
        found = p_expert(chosen(place / name), settings, student)
        assert found == greedily(Student.load(place / name, device="cpu"))


def test_an_adapter_of_the_student_plays_on_and_the_student_stays_as_it_is(place: Path, student: Student) -> None:
    before = greedily(student)
    settings = linked(place / "adapter", student)
    assert (settings["kind"], settings["base"]) == ("adapter", student.fingerprint)
    found = p_expert(chosen(place / "adapter"), settings, student)
    fresh = Student.load(place / "student", device="cpu", adapters={"tuned": place / "adapter"})
    assert found == greedily(fresh, "tuned")
    assert greedily(student) == before


def test_at_a_temperature_it_is_drawn_and_played_more_than_once(place: Path, student: Student) -> None:
    settings = linked(place / "one", student)
    with expert_of(chosen(place / "one", temperature=1.0), settings) as expert:
        assert not expert.deterministic
        queries = [Query(Start(make_task(seed), (), None, f"s{seed}")) for seed in SEEDS]
        made = tree_values(student, TinyWorld(), GAMES, queries, TREE, run_seed=1, expert=expert)
    rows = made.estimates.filter(quantity="p_expert")
    assert set(rows["n"]) == {4}
    assert (rows["se"] > 0).all()


def test_a_checkpoint_that_was_changed_since_is_refused_with_the_command_that_links_it_again(
    place: Path, student: Student, tmp_path: Path
) -> None:
    model = a_model(tmp_path / "model", 7)
    settings = linked(model, student)
    a_model(tmp_path / "other", 8)
    (tmp_path / "other/model.safetensors").replace(model / "model.safetensors")
    with pytest.raises(StudentError, match="snakemake -c 1 --forcerun link_expert"), expert_of(chosen(model), settings):
        pass
    wrong = {**linked(place / "adapter", student), "sha256": "0" * 64}
    with (
        pytest.raises(StudentError, match="snakemake -c 1 --forcerun link_expert"),
        expert_of(chosen(place / "adapter"), wrong, student=lambda: student),
    ):
        pass
    with pytest.raises(ConfigError, match=r"no expert\.json"), expert_of(chosen(model)):
        pass


def test_the_key_of_the_record_has_the_content_of_the_checkpoint(place: Path) -> None:
    params = STAGES["link-expert"].params
    found = [
        beside(params(expert=chosen(place / name), student=STUDENT)) for name in ("one", "two", "adapter", "student")
    ]
    names = [one.get("fingerprint") or one["sha256"] for one in found]
    assert len(set(names)) == 4
    assert all(one["dtype"] == "float32" for one in found)
