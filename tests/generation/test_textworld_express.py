"""TextWorldExpress's games: the same bytes from the same seed, splits that share nothing, clear errors."""

from __future__ import annotations

import json

import pytest

from teachable.generation import get_generator
from teachable.generation.splits import SPLITS, split_of
from teachable.worlds import GenerationError, WorldError, get_world
from teachable.worlds.files import load
from teachable.worlds.registry import OptionError
from teachable.worlds.textworld_express.families import FAMILIES
from teachable.worlds.textworld_express.games import game_of


@pytest.fixture(autouse=True)
def _(java):
    """All of these play games."""


def files(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_same_seeds_give_the_same_bytes_in_any_order(tmp_path):
    generator, told = get_generator("textworld_express"), []
    made = generator.generate(
        ["twc", "coin", "twc"], "train", [3, 1, 5], tmp_path / "a", lambda done, of: told.append((done, of))
    )
    again = generator.generate(["coin", "twc", "twc"], "train", [1, 5, 3], tmp_path / "b")
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert sorted(made, key=str) == sorted(again, key=str)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert sorted(files(tmp_path / "a")) == sorted(task.game for task in made)


def test_a_file_is_small_and_says_what_to_make(express):
    for task in express.tasks:
        text = (express.root / task.game).read_text()
        game = load(task, express.root, game_of)
        assert len(text) < 1000
        assert game.text() == text
        assert game.digest == task.digest
        assert game.family == task.family
        assert split_of(game.structure) == "train"
        assert str(express.root) not in text


def test_making_again_keeps_good_files_and_replaces_torn_ones(tmp_path):
    generator = get_generator("textworld_express")
    [task] = generator.generate("sorting", "train", [0], tmp_path)
    path = tmp_path / task.game
    text, stamp = path.read_text(), path.stat().st_mtime_ns
    generator.generate("sorting", "train", [0], tmp_path)
    assert path.stat().st_mtime_ns == stamp
    path.write_text(text[:20])
    generator.generate("sorting", "train", [0], tmp_path)
    assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("family", ["easy", "arithmetic", "simonsays"])
def test_splits_share_no_game(tmp_path, family):
    generator, owners = get_generator("textworld_express"), {}
    for split in SPLITS:
        for task in generator.generate(family, split, range(3), tmp_path):
            structure = load(task, tmp_path, game_of).structure
            assert split_of(structure) == split
            assert owners.setdefault(structure, split) == split
    assert len(owners) == 9


def test_another_fold_has_other_things(tmp_path):
    scenes = {}
    for fold in ("train", "test"):
        [task] = get_generator("textworld_express", fold=fold).generate("simonsays", "test", [0], tmp_path / fold)
        assert load(task, tmp_path / fold, game_of).fold == fold
        commands = get_world("textworld_express").start(task, tmp_path / fold).state.commands
        scenes[fold] = {command.split()[-1] for command in commands}
    assert not scenes["train"] & scenes["test"]


def test_parameters_are_the_games_own(tmp_path):
    wide = get_generator("textworld_express", parameters={"easy": {"numLocations": 2}})
    [task] = wide.generate("easy", "train", [0], tmp_path)
    session = get_world("textworld_express").start(task, tmp_path)
    assert any(command.startswith("move ") for command in session.state.commands)
    assert load(task, tmp_path, game_of).parameters == {**FAMILIES["easy"].parameters, "numLocations": 2}
    wrong = get_generator("textworld_express", parameters={"easy": {"rooms": 2}})
    with pytest.raises(WorldError, match=r"rooms=2.*Unrecognized property name"):
        wrong.generate("easy", "train", [0], tmp_path)


def test_a_game_that_cannot_be_made_is_one_clear_error(tmp_path):
    generator = get_generator("textworld_express")
    with pytest.raises(GenerationError, match=r"no peckingorder game for split 'train' and seed 0.*within 3 commands"):
        get_generator("textworld_express", max_expert_steps=3).generate("peckingorder", "train", [0], tmp_path)
    assert files(tmp_path) == {}
    with pytest.raises(WorldError, match="no family 'soup'"):
        generator.generate("soup", "train", [0], tmp_path)
    with pytest.raises(WorldError, match="no split 'dev'"):
        generator.generate("easy", "dev", [0], tmp_path)
    with pytest.raises(WorldError, match="not distinct"):
        generator.generate("easy", "train", [1, 1], tmp_path)
    with pytest.raises(WorldError, match="1 families for 2 seeds"):
        generator.generate(["easy"], "train", [1, 2], tmp_path)
    assert generator.generate("easy", "train", [], tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(GenerationError, match="file"):
        generator.generate("sorting", "train", [0], tmp_path / "file")


def test_options_are_checked():
    with pytest.raises(OptionError, match="fold"):
        get_generator("textworld_express", fold="exotic")
    with pytest.raises(OptionError, match="there is no family 'soup'"):
        get_generator("textworld_express", parameters={"soup": {}})
    with pytest.raises(WorldError, match="at least 1"):
        get_generator("textworld_express", max_expert_steps=0)
    with pytest.raises(OptionError, match="prune"):
        get_world("textworld_express", prune=["take"])
    with pytest.raises(OptionError, match="colour"):
        get_world("textworld_express", colour="red")


def test_a_file_is_json_of_these_keys(express):
    data = json.loads((express.root / express.of("twc")[0].game).read_text())
    assert set(data) == {"family", "parameters", "fold", "number", "structure", "solution"}
