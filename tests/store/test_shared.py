"""A store that others share: what cannot be read is neither damaged nor gone, and nobody is shut out."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from teachable import cli
from teachable.artifacts import Recipe, Store, StoreError
from teachable.artifacts.maintenance import Verification, collect, verify

MakeRecipe = Callable[..., Recipe]
NOBODY = 65534


@contextmanager
def another_user() -> Iterator[None]:
    """Files are looked at as another user would; where the tests are not run as root, as this one."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that every user may write in."""
    directory = Path(tempfile.mkdtemp(prefix="shared-"))
    directory.chmod(0o2777)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def shared(open_to_all: Path, recipe: MakeRecipe) -> Store:
    """Three files and a directory, published into a store that is open to all, under a umask that is not."""
    umask = os.umask(0o077)
    try:
        store = Store(open_to_all / "store")
        store.root.mkdir()
        store.root.chmod(0o2777)
        for number in range(3):
            made = open_to_all / f"{number}.txt"
            made.write_text(f"file {number}")
            assert store.publish(recipe(number), {"out": made})
        model = open_to_all / "model"
        model.mkdir()
        (model / "weights").write_text("weights")
        assert store.publish(recipe(3, stage="train"), {"out": model})
    finally:
        os.umask(umask)
    return store


def everything(store: Store) -> set[str]:
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}


def test_who_may_use_the_directory_may_use_what_is_in_it(shared: Store, recipe: MakeRecipe, open_to_all: Path) -> None:
    with another_user():
        for number in range(3):
            assert Store(shared.root).restore(recipe(number), {"out": open_to_all / f"back{number}"})
        own = open_to_all / "own.txt"
        own.write_text("another's")
        assert Store(shared.root).publish(recipe(9), {"out": own})
    assert shared.restore(recipe(9), {"out": open_to_all / "back9"})
    assert verify(shared)


@pytest.mark.parametrize("shelf", ["objects/*", "records/toy"])
def test_a_closed_shelf_is_not_there_for_a_run_and_is_left_alone(
    shared: Store, recipe: MakeRecipe, open_to_all: Path, shelf: str
) -> None:
    before = everything(shared)
    for path in shared.root.glob(shelf):
        path.chmod(0o000)
    with another_user():
        user = Store(shared.root)
        restored = user.restore(recipe(0), {"out": open_to_all / "back"})
        assert not restored
        assert restored.state == "absent"
        assert "Permission denied" in str(restored)
        assert not (open_to_all / "back").exists()
        made = open_to_all / "again.txt"
        made.write_text("file 0")
        assert user.publish(recipe(0), {"out": made}) is None  # a warning, not the end of a stage
        found = verify(user)
        assert [*found.corrupt, *found.incomplete, *found.unreadable] == []
        assert found.unknown
        assert collect(user, newer_than_days=0, grace_seconds=0).objects == 0
    for path in shared.root.glob(shelf):
        path.chmod(0o2777)
    assert {name for name in everything(shared) if name.startswith("objects")} == {
        name for name in before if name.startswith("objects")
    }


def test_a_record_of_another_version_is_kept_with_its_objects(
    shared: Store, recipe: MakeRecipe, open_to_all: Path
) -> None:
    path = next(path for path in shared.record_paths("toy") if path.stem == recipe(1).key)
    path.chmod(0o644)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "format": 99}))
    text = path.read_text()
    assert shared.restore(recipe(1), {"out": open_to_all / "back"}).state == "absent"
    assert shared.publish(recipe(1), {"out": open_to_all / "1.txt"}) is None
    found = verify(shared)
    assert (found.unreadable, len(found.unknown)) == ([], 1)
    gone = collect(shared, newer_than_days=0, grace_seconds=0)
    assert (gone.objects, len(gone.unknown)) == (0, 1)
    assert path.read_text() == text


@pytest.mark.parametrize("days", [float("nan"), -1.0, float("inf")])
def test_what_is_no_number_of_days_removes_nothing(shared: Store, days: float) -> None:
    before = everything(shared)
    with pytest.raises(StoreError, match="no number of days"):
        collect(shared, newer_than_days=days, grace_seconds=0)
    assert everything(shared) == before


def test_the_command_refuses_it_too(shared: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["store", "--store", str(shared.root), "gc", "--keep-days", "nan"]) != 0
    assert "no number of days" in capsys.readouterr().err


def test_writers_collectors_and_verifiers_do_not_trouble_one_another(
    store: Store, recipe: MakeRecipe, tmp_path: Path
) -> None:
    """A store of old results, which two collectors take away while others verify it and a run adds to it."""
    troubles: list[str] = []
    done = threading.Event()

    def make(numbers: range) -> None:
        for number in numbers:
            made = tmp_path / f"{number}.txt"
            made.write_text(f"file {number % 150}")
            if store.publish(recipe(number), {"out": made}) is None:
                troubles.append(f"{number} was not stored")

    def write() -> None:
        make(range(150, 400))  # the first hundred and fifty have the content of what is being removed
        done.set()

    def keep_going(action: Callable[[], object]) -> None:
        while not done.is_set():
            try:
                found = action()
            except Exception as error:
                troubles.append(repr(error))
                return
            if isinstance(found, Verification) and not found:
                troubles.append(repr(found))

    make(range(150))
    time.sleep(3.1)  # a writer names what it stores within the grace
    actions: list[Callable[[], object]] = [lambda: collect(Store(store.root), newer_than_days=0, grace_seconds=3.0)] * 2
    actions += [lambda: verify(Store(store.root))] * 2
    threads = [threading.Thread(target=write)]
    threads += [threading.Thread(target=keep_going, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
