"""ScienceWorld's games: the same bytes from the same seed, splits that share nothing, clear errors."""

from __future__ import annotations

import json

import pytest

from teachable.generation import get_generator
from teachable.generation.scienceworld import owner
from teachable.generation.splits import SPLITS
from teachable.worlds import GenerationError, WorldError
from teachable.worlds.files import load
from teachable.worlds.registry import OptionError
from teachable.worlds.scienceworld.families import FAMILIES
from teachable.worlds.scienceworld.games import game_of


@pytest.fixture(autouse=True)
def _(scienceworld):
    """All of these play games."""


def files(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_same_seeds_give_the_same_bytes_in_any_order(tmp_path):
    generator, told = get_generator("scienceworld"), []
    short, long = "lifespan-shortest-lived", "lifespan-longest-lived"
    made = generator.generate([short, long], "train", [3, 1], tmp_path / "a", lambda done, of: told.append((done, of)))
    again = generator.generate([long, short], "train", [1, 3], tmp_path / "b")
    assert told == [(1, 2), (2, 2)]
    assert sorted(made, key=str) == sorted(again, key=str)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert sorted(files(tmp_path / "a")) == sorted(task.game for task in made)


def test_a_file_is_small_and_says_what_to_make(science):
    keys = {"family", "variation", "simplifications", "structure", "gold", "focus", "box"}
    for task in science.tasks:
        text = (science.root / task.game).read_text()
        game = load(task, science.root, game_of)
        assert set(json.loads(text)) == keys
        assert len(text) < 1000
        assert game.text() == text
        assert game.digest == task.digest
        assert game.family == task.family
        assert owner(game.family, game.variation) == "train"
        assert str(science.root) not in text


def test_making_again_keeps_good_files_and_replaces_torn_ones(tmp_path):
    generator = get_generator("scienceworld")
    [task] = generator.generate("lifespan-shortest-lived", "train", [0], tmp_path)
    path = tmp_path / task.game
    text, stamp = path.read_text(), path.stat().st_mtime_ns
    generator.generate("lifespan-shortest-lived", "train", [0], tmp_path)
    assert path.stat().st_mtime_ns == stamp
    path.write_text(text[:20])
    generator.generate("lifespan-shortest-lived", "train", [0], tmp_path)
    assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_splits_share_no_game(tmp_path):
    generator, owners = get_generator("scienceworld"), {}
    for split in SPLITS:
        for task in generator.generate("lifespan-longest-lived", split, [0], tmp_path):
            game = load(task, tmp_path, game_of)
            assert owner(game.family, game.variation) == split
            for name in (game.structure, task.digest):
                assert owners.setdefault(name, split) == split
    assert {*owners.values()} == {*SPLITS}


def test_every_split_has_variations_of_every_family():
    for family in FAMILIES:
        shares = [owner(family, number) for number in range(120)]
        assert all(shares.count(split) >= 10 for split in SPLITS)


def test_simplifications_are_in_the_file_and_change_the_game(tmp_path):
    made = {}
    for simple in ([], ["openContainers"]):
        generator = get_generator("scienceworld", simplifications=simple)
        [task] = generator.generate("lifespan-shortest-lived", "train", [0], tmp_path / str(len(simple)))
        made[len(simple)] = load(task, tmp_path / str(len(simple)), game_of)
    assert made[1].simplifications == ("openContainers",)
    assert made[0].variation == made[1].variation
    assert made[0].structure != made[1].structure


def test_a_game_that_cannot_be_made_is_one_clear_error(tmp_path):
    generator = get_generator("scienceworld")
    tight = get_generator("scienceworld", max_expert_steps=1)
    with pytest.raises(
        GenerationError, match=r"no lifespan-longest-lived-then.*seed 0 in 5 attempts.*within 1 commands"
    ):
        tight.generate("lifespan-longest-lived-then-shortest-lived", "test", [0], tmp_path)
    assert files(tmp_path) == {}
    with pytest.raises(WorldError, match="no family 'soup'"):
        generator.generate("soup", "train", [0], tmp_path)
    with pytest.raises(WorldError, match="no split 'dev'"):
        generator.generate("find-plant", "dev", [0], tmp_path)
    with pytest.raises(WorldError, match="not distinct"):
        generator.generate("find-plant", "train", [1, 1], tmp_path)
    with pytest.raises(WorldError, match="1 families for 2 seeds"):
        generator.generate(["find-plant"], "train", [1, 2], tmp_path)
    assert generator.generate("find-plant", "train", [], tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(GenerationError, match="file"):
        generator.generate("lifespan-shortest-lived", "train", [0], tmp_path / "file")


def test_options_are_checked():
    with pytest.raises(OptionError, match="simplifications"):
        get_generator("scienceworld", simplifications=["easy"])
    with pytest.raises(WorldError, match="at least 1"):
        get_generator("scienceworld", max_expert_steps=0)
