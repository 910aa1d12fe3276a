"""A store on a file system that goes away and comes back: no error, no wrong bytes, nothing sound in quarantine."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from teachable.artifacts import Recipe, Store

MakeRecipe = Callable[..., Recipe]
CALLS = ("open", "stat", "mkdir", "replace", "unlink", "chmod", "rename")


class Away:
    """Lets the calls below ``root`` fail as ``fails(number of the call)`` says."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails: Callable[[int], bool] = lambda number: False
        self.number, self.errno = 0, errno.EIO
        for name in CALLS:
            monkeypatch.setattr(Path, name, self._wrapped(root, getattr(Path, name)))

    def _wrapped(self, root: Path, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Path, *arguments: Any, **options: Any) -> Any:
            if path.is_relative_to(root):
                self.number += 1
                if self.fails(self.number):
                    raise OSError(self.errno, "away", str(path))
            return call(path, *arguments, **options)

        return wrapped


@pytest.fixture
def stored(store: Store, recipe: MakeRecipe, tmp_path: Path) -> Store:
    made = tmp_path / "made"
    made.write_text("content")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("one")
    (tree / "b").write_text("two")
    assert store.publish(recipe(outputs=("out", "tree")), {"out": made, "tree": tree})
    return store


def restored(store: Store, recipe: Recipe, target: Path) -> bool:
    found = store.restore(recipe, {"out": target / "out", "tree": target / "tree"})
    if found:
        assert (target / "out").read_text() == "content"
        assert sorted(path.read_text() for path in (target / "tree").iterdir()) == ["one", "two"]
    else:
        assert found.state == "absent"
        assert found.problems
        assert not list(target.iterdir()), "nothing half restored"
    return bool(found)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EACCES])
def test_whatever_call_fails_the_run_goes_on(
    stored: Store, recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    away, wanted = Away(stored.root, monkeypatch), recipe(outputs=("out", "tree"))
    away.errno = number
    (tmp_path / "whole").mkdir()
    assert restored(stored, wanted, tmp_path / "whole")
    calls, ends = away.number, set()
    for first in range(1, calls + 1):
        for lasting in (1, 3, calls):
            away.number = 0
            away.fails = lambda call, first=first, lasting=lasting: first <= call < first + lasting
            target = tmp_path / f"{first}-{lasting}"
            target.mkdir()
            ends.add(restored(stored, wanted, target))
    away.fails = lambda call: False
    assert ends == {False, True}, "bookkeeping may fail, objects may not"
    assert not stored.objects.quarantine.exists()
    (tmp_path / "back").mkdir()
    assert restored(stored, wanted, tmp_path / "back")


def test_publishing_never_raises_and_leaves_no_wrong_record(
    stored: Store, recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, rng = Away(stored.root, monkeypatch), random.Random(1)
    kept = 0
    for number in range(100):
        made = tmp_path / "new"
        made.write_text(f"content {number}")
        away.errno = rng.choice([errno.EIO, errno.ESTALE, errno.ENOTCONN])
        away.fails = lambda call: rng.random() < 0.05
        published = stored.publish(recipe(number + 1), {"out": made})
        away.fails = lambda call: False
        kept += published is not None
        back = tmp_path / f"back{number}"
        if stored.restore(recipe(number + 1), {"out": back}):
            assert back.read_text() == f"content {number}"
        else:
            assert published is None
    assert 0 < kept < 100
    assert not stored.objects.quarantine.exists()
