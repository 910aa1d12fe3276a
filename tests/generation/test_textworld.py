"""Games: the same bytes from the same seed, splits that share nothing, one clear error when it cannot be."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from textworld.generator import compile_inform7_game, generate_inform7_source

from teachable.generation import get_generator
from teachable.generation.splits import SPLITS, split_of
from teachable.generation.textworld import TextWorldGenerator, make
from teachable.generation.textworld.canonical import canonical, structure_of
from teachable.generation.textworld.make import Limits, draw, write
from teachable.worlds import GenerationError, WorldError
from teachable.worlds.files import text_of
from teachable.worlds.textworld.engine import stamped
from teachable.worlds.textworld.families import FAMILIES
from teachable.worlds.textworld.games import digest_of, game_of

LIMITS = Limits(max_expert_steps=15, foods="train")


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_same_seeds_give_the_same_bytes_in_any_order_and_number_of_jobs(games, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "123")
    tasks = TextWorldGenerator(jobs=2).generate("medium", "train", [2, 0], tmp_path / "a")
    assert [task.seed for task in tasks] == [2, 0]
    assert [games.of("medium")[2], games.of("medium")[0]] == tasks
    made = files(tmp_path / "a")
    assert sorted(Path(name).suffix for name in made) == [".json", ".json", ".z8", ".z8"]
    for name, data in made.items():
        assert data == (games.root / name).read_bytes(), name


def test_the_locale_does_not_decide_the_bytes(games, tmp_path, monkeypatch):
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)  # ASCII
    TextWorldGenerator().generate("medium", "train", [2], tmp_path)
    for name, data in files(tmp_path).items():
        assert data == (games.root / name).read_bytes(), name


def test_what_the_disk_refuses_is_no_trouble_of_the_game(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(GenerationError, match=r"games cannot be written: .*file.*: Not a directory; make room or give"):
        TextWorldGenerator().generate("easy", "train", [1], tmp_path / "file/games")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    data, _ = draw(FAMILIES["easy"], "train", 7, LIMITS)
    monkeypatch.setattr(make, "_compile", full)
    with pytest.raises(OSError, match="No space left"):
        write(data, tmp_path / "ours.z8")
    monkeypatch.setattr(make, "_make", full)
    with pytest.raises(OSError, match="No space left"):
        draw(FAMILIES["easy"], "train", 7, LIMITS)


def test_a_story_has_the_bytes_that_textworld_compiles(tmp_path):
    data, _ = draw(FAMILIES["easy"], "train", 7, LIMITS)
    write(data, tmp_path / "ours.z8")
    compile_inform7_game(generate_inform7_source(game_of(data)), str(tmp_path / "theirs.z8"))
    theirs = stamped((tmp_path / "theirs.z8").read_bytes(), digest_of(data))
    assert (tmp_path / "ours.z8").read_bytes() == theirs


def test_a_story_that_does_not_compile_says_what_the_compiler_said(tmp_path, monkeypatch):
    data, _ = draw(FAMILIES["easy"], "train", 7, LIMITS)
    monkeypatch.setattr(make, "generate_inform7_source", lambda game: "This is no story.")
    with pytest.raises(GenerationError, match=r"cannot compile .*ours.z8: The sentence 'This is no story' .* appears"):
        write(data, tmp_path / "ours.z8")
    assert list(tmp_path.iterdir()) == []


def test_files_hold_no_date_and_no_path(games, tmp_path):
    for task in games.tasks:
        story = (games.root / task.game).read_bytes()
        assert story[0x12:0x18].decode() == task.digest[:6]  # where the compiler writes the date
        meta = (games.root / task.game).with_suffix(".json").read_text()
        assert "site-packages" not in meta
        assert str(games.root) not in meta
        assert digest_of(json.loads(meta)) == task.digest


def test_making_again_keeps_good_files_and_replaces_torn_ones(games, tmp_path):
    original = games.root / games.of("easy")[0].game
    data, whole = json.loads(original.with_suffix(".json").read_text()), original.read_bytes()
    story = tmp_path / "game.z8"
    shutil.copy(original, story)
    shutil.copy(original.with_suffix(".json"), story.with_suffix(".json"))
    stamp = story.stat().st_mtime_ns
    write(data, story)
    assert story.stat().st_mtime_ns == stamp
    story.write_bytes(whole[:5000])
    write(data, story)
    assert story.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["game.json", "game.z8"]


def test_splits_share_no_game():
    owners: dict[str, str] = {}
    contents: dict[str, str] = {}
    for split in SPLITS:
        for seed in range(4):
            data, steps = draw(FAMILIES["easy"], split, seed, LIMITS)
            assert 0 < steps <= 15
            assert split_of(structure_of(data)) == split
            assert owners.setdefault(digest_of(data), split) == split
            assert contents.setdefault(structure_of(data), split) == split
    assert len(owners) == 12


def test_digest_ignores_order_and_metadata_only():
    data, _ = draw(FAMILIES["easy"], "train", 3, LIMITS)
    shuffled = json.loads(json.dumps(data))
    shuffled["world"].reverse()
    shuffled["infos"].reverse()
    shuffled["metadata"] = {}
    assert digest_of(canonical(shuffled)) == digest_of(data)
    shuffled["objective"] = "Sleep."
    assert digest_of(canonical(shuffled)) != digest_of(data)
    assert text_of(canonical(data)) == text_of(data)


def test_test_foods_can_be_unseen_ones():
    from textworld.challenges.tw_cooking.cooking import FOODS_SPLITS

    seen = set(FOODS_SPLITS["train"])
    new = set()
    for seed in range(4):
        for foods in ("train", "test"):
            data, _ = draw(FAMILIES["medium"], "test", seed, replace(LIMITS, foods=foods))
            names = {a["name"] for f in data["world"] for a in f["arguments"] if a["type"] == "f"}
            names = {info["name"] for key, info in data["infos"] if key in names}
            if foods == "train":
                assert names <= seen
            new |= names - seen
    assert new <= set(FOODS_SPLITS["test"])
    assert new


def test_a_game_that_cannot_be_made_is_one_clear_error(tmp_path):
    generator = get_generator("textworld")
    with pytest.raises(GenerationError, match=r"no easy game for split 'train' and seed 0.*more than 2"):
        draw(FAMILIES["easy"], "train", 0, replace(LIMITS, max_expert_steps=2, unfit=2))
    with pytest.raises(GenerationError, match=r"no medium game.*more than 1\b"):
        get_generator("textworld", max_expert_steps=1).generate("medium", "train", [5], tmp_path)
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


def test_a_directory_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GenerationError, match=r"file"):
        get_generator("textworld").generate("easy", "train", [0], tmp_path / "file")


def test_options_are_checked():
    with pytest.raises(WorldError, match="colour: world 'textworld' has no such option"):
        get_generator("textworld", colour="red")
    with pytest.raises(WorldError, match=r"known worlds: .*\btextworld\b"):
        get_generator("chess")
    with pytest.raises(WorldError, match="foods"):
        get_generator("textworld", foods="exotic")
    with pytest.raises(WorldError, match="at least 1"):
        TextWorldGenerator(jobs=0)
