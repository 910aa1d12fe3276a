"""Verify finds all damage, a collection keeps what is needed, an archive carries all that is sound."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from teachable import cli
from teachable.artifacts import Recipe, Store, StoreError, digest
from teachable.artifacts.archive import export, import_archive
from teachable.artifacts.maintenance import collect, status, verify

MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def filled(store: Store, recipe: MakeRecipe, tmp_path: Path) -> Store:
    """Ten files and five directories, all of different content, but one file that is in every directory."""
    for number in range(10):
        file = tmp_path / "made" / f"{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"file {number}\n" * 100)
        store.publish(recipe(number), {"out": file}, {"seconds": 10.0})
    for number in range(10, 15):
        model = tmp_path / "made" / f"model{number}"
        model.mkdir()
        (model / "shared").write_text("shared")
        (model / "own").write_text(str(number))
        store.publish(recipe(number, stage="train"), {"out": model}, {"seconds": 10.0})
    return store


def back(store: Store, recipe: Recipe, target: Path) -> bool:
    return bool(store.restore(recipe, {"out": target}))


def test_verify_finds_every_damaged_object(filled: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    assert verify(filled)
    objects = list(filled.objects.every())
    victims = random.Random(3).sample(objects, 6)
    for _, path in victims:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b"x")
    found = verify(filled)
    assert not found
    assert sorted(found.corrupt) == sorted(value for value, _ in victims)
    assert found.incomplete
    assert verify(filled)  # all of it is in quarantine
    served = [number for number in range(15) if back(filled, _of(recipe, number), tmp_path / "back" / str(number))]
    assert len(served) == 15 - len(found.incomplete)


def _of(recipe: MakeRecipe, number: int) -> Recipe:
    return recipe(number, stage="train") if number >= 10 else recipe(number)


def test_collection_keeps_what_results_need_and_what_made_their_inputs(
    store: Store, recipe: MakeRecipe, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for name in ("first", "second", "other"):
        (tmp_path / name).write_text(name)
    (results / "third").write_text("third")
    store.publish(recipe(1, inputs={}), {"out": tmp_path / "first"})
    store.publish(recipe(2, inputs={"x": [digest(tmp_path / "first")]}), {"out": tmp_path / "second"})
    store.publish(recipe(3, inputs={"x": [digest(tmp_path / "second")]}), {"out": results / "third"})
    store.publish(recipe(4), {"out": tmp_path / "other"})
    dry = collect(store, results=[results], dry_run=True, grace_seconds=0)
    assert (dry.kept, dry.records, dry.objects) == (3, 1, 1)
    assert len(list(store.record_paths())) == 4
    done = collect(store, results=[results], grace_seconds=0)
    assert done == dry
    assert all(back(store, recipe(number, inputs=inputs), tmp_path / "back") for number, inputs in (
        (1, {}), (2, {"x": [digest(tmp_path / "first")]}), (3, {"x": [digest(tmp_path / "second")]}),
    ))  # fmt: skip
    assert not back(store, recipe(4), tmp_path / "back")
    assert verify(store)


def test_collection_by_age_counts_use(filled: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    for path in filled.record_paths():
        path.chmod(0o644)
        document = json.loads(path.read_text())
        document["created"] = "2020-01-01T00:00:00+00:00"
        path.write_text(json.dumps(document))
    assert back(filled, recipe(4), tmp_path / "back")
    done = collect(filled, newer_than_days=1, grace_seconds=0)
    assert (done.kept, done.records) == (1, 14)
    assert back(filled, recipe(4), tmp_path / "back")
    assert len(list(filled.objects.every())) == 1


def test_collection_spares_what_a_writer_may_be_about_to_name(filled: Store) -> None:
    (filled.objects.temporary / "old").write_text("left by a killed writer")
    os.utime(filled.objects.temporary / "old", (1, 1))
    done = collect(filled, newer_than_days=0)
    assert done.records >= 0
    assert done.objects == 0
    assert not (filled.objects.temporary / "old").exists()


def test_status_counts(filled: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    back(filled, recipe(1), tmp_path / "back")
    back(filled, recipe(99), tmp_path / "back")
    found = status(filled)
    assert found.records == {"toy": 10, "train": 5}
    assert found.objects == 10 + 5 + 5 + 1
    assert found.events == {"published": 15, "restored": 1, "absent": 1}
    assert found.saved == 10.0
    assert found.logical == sum(record.size for record in filled.every_record())


def test_a_round_trip_through_an_archive(filled: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    done = export(filled, tmp_path / "all.zip")
    assert (done.records, done.objects, done.problems) == (15, 21, [])
    other = Store(tmp_path / "other")
    taken = import_archive(other, tmp_path / "all.zip")
    assert (taken.records, taken.objects, taken.problems) == (15, 21, [])
    assert verify(other)
    for number in range(15):
        target = tmp_path / "back" / str(number)
        assert back(other, _of(recipe, number), target)
        name = f"model{number}" if number >= 10 else f"{number}.txt"
        assert digest(target) == digest(tmp_path / "made" / name)
    assert import_archive(other, tmp_path / "all.zip").records == 15  # again changes nothing
    part = export(filled, tmp_path / "part.zip", lambda record: record.recipe.stage == "train")
    assert part.records == 5


def test_import_takes_nothing_on_trust(filled: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    export(filled, tmp_path / "all.zip")
    victims: list[str] = []
    with (
        zipfile.ZipFile(tmp_path / "all.zip") as source,
        zipfile.ZipFile(tmp_path / "bad.zip", "w") as target,
    ):
        names = source.namelist()
        victims = [name for name in names if name.startswith("objects/")][:3]
        record = next(name for name in names if name.startswith("records/toy"))
        for name in names:
            data = source.read(name)
            if name in victims:
                data = data[:-1] + bytes([data[-1] ^ 1])
            if name == record:
                document = json.loads(data)
                document["recipe"]["params"] = {"number": 77}
                data = json.dumps(document).encode()
            target.writestr(name, data)
    other = Store(tmp_path / "other")
    done = import_archive(other, tmp_path / "bad.zip")
    assert len([problem for problem in done.problems if problem.startswith("object")]) == 3
    assert done.records < 15
    assert verify(other)
    assert not back(other, recipe(77), tmp_path / "back")


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_archive_is_refused(filled: Store, tmp_path: Path, keep: float) -> None:
    export(filled, tmp_path / "all.zip")
    data = (tmp_path / "all.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(StoreError, match="not a whole archive"):
        import_archive(Store(tmp_path / "other"), tmp_path / "cut.zip")


def test_a_damaged_archive_is_one_sentence(filled: Store, tmp_path: Path) -> None:
    export(filled, tmp_path / "all.zip")
    whole = (tmp_path / "all.zip").read_bytes()
    draw = random.Random(14)
    refused: list[str] = []
    left_out = 0
    for number in range(200):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 1, 3, 30])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        damaged = tmp_path / "damaged.zip"
        damaged.write_bytes(data)
        other = Store(tmp_path / "others" / str(number))
        try:
            left_out += bool(import_archive(other, damaged).problems)
        except StoreError as error:
            refused.append(str(error))
        assert verify(other)
    assert len(refused) > 20
    assert left_out > 20
    assert all("damaged.zip" in said and "\n" not in said for said in refused)


def _archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return path


def test_a_member_is_not_unpacked_beyond_what_it_may_have(store: Store, tmp_path: Path) -> None:
    zeros = bytes(8 << 20)
    value = hashlib.sha256(zeros).hexdigest()
    name = f"objects/{value[:2]}/{value[2:]}"
    manifest = json.dumps({"format": 1, "records": [], "objects": {value: 4}}).encode()
    bomb = _archive(tmp_path / "bomb.zip", {"manifest.json": manifest, name: zeros}, compression=zipfile.ZIP_DEFLATED)
    done = import_archive(store, bomb)
    assert (done.objects, len(done.problems)) == (0, 1)
    assert "more than the 4 bytes" in done.problems[0]
    assert not list(store.objects.temporary.iterdir())


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_a_store_writes_is_unpacked(store: Store, tmp_path: Path, compression: int) -> None:
    members = {"manifest.json": b'{"format": 1, "records": [], "objects": {}}'}
    with pytest.raises(StoreError, match="which no store writes"):
        import_archive(store, _archive(tmp_path / "other.zip", members, compression=compression))


def test_a_manifest_that_declares_little_is_read_within_bounds(store: Store, tmp_path: Path) -> None:
    """Two gigabytes that say they were four bytes: what is unpacked is bounded by the reader, not by the archive."""
    packed = _archive(tmp_path / "bomb.zip", {"manifest.json": bytes(512 << 20)}, compression=zipfile.ZIP_DEFLATED)
    data = packed.read_bytes()
    packed.write_bytes(data.replace(struct.pack("<I", 512 << 20), struct.pack("<I", 4)))
    tracemalloc.start()
    with pytest.raises(StoreError, match="not a whole archive"):
        import_archive(store, packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def test_an_archive_larger_than_the_disk_is_refused_beforehand(store: Store, tmp_path: Path) -> None:
    manifest = json.dumps({"format": 1, "records": [], "objects": {"0" * 64: 1 << 60}}).encode()
    with pytest.raises(StoreError, match="make room"):
        import_archive(store, _archive(tmp_path / "huge.zip", {"manifest.json": manifest}))


def test_an_archive_that_cannot_be_read_is_not_called_damaged(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be imported.*No such file"):
        import_archive(store, tmp_path / "nothing.zip")


def test_export_leaves_damage_behind(filled: Store, tmp_path: Path) -> None:
    value, path = next(iter(filled.objects.every()))
    path.unlink()
    done = export(filled, tmp_path / "all.zip")
    assert done.problems
    assert value[:16] in done.problems[0]
    assert not import_archive(Store(tmp_path / "other"), tmp_path / "all.zip").problems


def test_the_commands(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEACHABLE_STORE", str(filled.root))
    assert cli.main(["store", "status"]) == 0
    assert "15 published" in capsys.readouterr().out
    assert cli.main(["store", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == {"toy": 10, "train": 5}
    assert cli.main(["store", "explain", "made/3.txt"]) == 0
    assert "made by toy" in capsys.readouterr().out
    assert cli.main(["store", "verify"]) == 0
    assert cli.main(["store", "export", "all.zip", "--stage", "train"]) == 0
    assert cli.main(["store", "--store", "new", "import", "all.zip"]) == 0
    assert "5 records" in capsys.readouterr().out
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "3.txt").write_bytes((tmp_path / "made/3.txt").read_bytes())
    assert cli.main(["store", "export", "some.zip", "--results", "results"]) == 0
    assert "1 records and 1 objects" in capsys.readouterr().out
    assert cli.main(["store", "export", "some.zip", "--results", "nowhere"]) == 1
    assert "--results nowhere: no such directory" in capsys.readouterr().err
    assert cli.main(["store", "gc"]) == 1
    assert "say what to keep" in capsys.readouterr().err
    assert cli.main(["store", "gc", "--keep", "nowhere"]) == 1
    assert cli.main(["store", "gc", "--keep", "made", "--dry-run"]) == 0
    assert "kept 15" in capsys.readouterr().out
    next(iter(filled.objects.every()))[1].unlink()
    assert cli.main(["store", "verify"]) == 1
    assert "without its objects" in capsys.readouterr().out
    monkeypatch.setenv("TEACHABLE_STORE", "off")
    assert cli.main(["store", "status"]) == 1
    assert "off" in capsys.readouterr().err
    monkeypatch.setenv("TEACHABLE_STORE", str(tmp_path / "nowhere"))
    assert cli.main(["store", "status"]) == 1
    assert "no store at" in capsys.readouterr().err


def test_explaining_a_file_in_a_large_store_takes_no_time_to_speak_of(
    store: Store, recipe: MakeRecipe, tmp_path: Path
) -> None:
    from teachable.artifacts.explain import explain

    file = tmp_path / "file"
    file.write_text("content")
    for number in range(500):
        store.publish(recipe(number), {"out": file})
    started = time.perf_counter()
    assert len(explain(store, file).matches) == 500
    assert time.perf_counter() - started < 3.0  # measured 0.1 s
