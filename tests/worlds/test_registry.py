"""Worlds by name: those that come with the library, and those that another package brings."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from toy import bring

from teachable.artifacts import fingerprint as fp
from teachable.generation import get_generator
from teachable.worlds import (
    InadmissibleCommand,
    WorldError,
    get_entry,
    get_reasons,
    get_words,
    get_world,
    registry,
    replay,
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A directory on the path that holds the distribution ``corridor``."""
    place = bring(tmp_path / "site")
    monkeypatch.syspath_prepend(str(place))
    forget()
    yield place
    sys.modules.pop("corridor", None)
    forget()


def forget() -> None:
    registry._places.cache_clear()
    for function in vars(fp).values():
        if hasattr(function, "cache_clear") and function is not fp._memory:
            function.cache_clear()
    importlib.invalidate_caches()


def test_a_built_in_world_needs_no_installation() -> None:
    assert [entry.name for entry in registry.built_in()] == ["scienceworld", "textworld", "textworld_express"]
    assert get_words("textworld").memo_label == "recipe"
    assert get_reasons("textworld").__module__ == "teachable.worlds.textworld.reasons"
    code = "from teachable.worlds import get_entry; import sys; get_entry('textworld'); "
    heavy = "sys.exit(any(name.split('.')[0] in ('textworld', 'jericho', 'numpy') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code + heavy]).returncode == 0


def test_every_world_names_parts_that_are_there() -> None:
    for entry in registry.built_in():
        for part in ("play", "generator", "words", "reasons"):
            assert entry.part(part) is not None
        assert set(entry.part("words").easy_skills) <= set(entry.skills)


def test_another_package_brings_a_world(site: Path, tmp_path: Path) -> None:
    generator = get_generator("corridor", max_expert_steps=7)
    tasks = {split: generator.generate("easy", split, range(8), tmp_path) for split in ("train", "test")}
    digests = [{task.digest for task in made} for made in tasks.values()]
    assert not digests[0] & digests[1]
    world = get_world("corridor")
    for task in tasks["train"]:
        session = world.start(task, tmp_path)
        played = []
        with pytest.raises(InadmissibleCommand):
            session.step("fly")
        while not session.state.done:
            again = replay(world, task, tmp_path, played, session.state.digest)
            assert again.state == session.state
            saved, expert = session.save(), session.expert_command()
            session.step("wait")
            session.restore(saved)
            assert again.expert_command() == expert == session.expert_command()
            played.append(expert)
            session.step(expert)
        assert session.state.won
        assert len(played) == task.expert_steps


def test_its_code_is_in_the_key_of_a_stage_and_so_is_what_it_imports_of_this_package(site: Path) -> None:
    before = fp.fingerprint("corridor")
    assert {"corridor", "teachable.worlds.base", "teachable.seeds"} <= set(fp.parts("corridor"))
    assert not [name for name in fp.parts("corridor") if "textworld" in name]
    assert fp.library_imports("corridor") == ("numpy",)  # of teachable.seeds
    assert get_entry("corridor").modules(("play", "words")) == ("corridor", "teachable.worlds.words")
    file = site / "corridor.py"
    file.write_text("# a comment\n" + file.read_text())
    forget()
    assert fp.fingerprint("corridor") == before
    file.write_text(file.read_text().replace("You wake up.", "You get up."))
    forget()
    assert fp.fingerprint("corridor") != before


def test_a_package_of_several_modules_counts_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "maze"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "play.py").write_text("from maze.walls import HIGH\nfrom teachable.worlds.memo import MemoSession\n")
    (package / "walls.py").write_text("import yaml\nHIGH = 3\nNAMES = FOLDER / 'rooms.txt'\n")
    (package / "rooms.txt").write_text("hall\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    found = fp.parts("maze.play")
    assert {"maze.play", "maze.walls", "maze/rooms.txt", "teachable.worlds.memo", "teachable.worlds.base"} <= set(found)
    assert fp.library_imports("maze.play") == ("yaml",)
    forget()


@pytest.mark.parametrize(
    ("points", "name", "said"),
    [
        ("corridr = corridor:WORLD", "corridr", "must be a WorldEntry called 'corridr'"),
        ("corridor = corridor:ABSENT", "corridor", "its entry point is corridor:ABSENT, which fails"),
        ("corridor = nowhere:WORLD", "corridor", "its entry point is nowhere:WORLD, which fails"),
        ("textworld = corridor:WORLD", "textworld", "two worlds called 'textworld'"),
        ("", "corridor", "there is no world called 'corridor'; known worlds: scienceworld, textworld"),
    ],
)
def test_a_wrong_entry_point_is_one_clear_error(site: Path, points: str, name: str, said: str) -> None:
    (site / "corridor-1.0.dist-info" / "entry_points.txt").write_text(f"[teachable.worlds]\n{points}\n")
    forget()
    with pytest.raises(WorldError, match=said):
        get_entry(name)


def test_options_that_a_world_does_not_have_are_named(site: Path) -> None:
    with pytest.raises(WorldError, match="colour: world 'corridor' has no such option; it has none"):
        get_world("corridor", colour="red")
