"""What the store serves is what was published, whole and sound, or nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teachable.artifacts import Recipe, Store, StoreError, digest
from teachable.artifacts.objects import decode_manifest, encode_manifest, manifest, walk
from teachable.artifacts.store import ENVIRONMENT, ENVIRONMENT_REFRESH, replace

MakeRecipe = Callable[..., Recipe]


def tree(directory: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() if path.is_file() else b"<dir>" for path, name in walk(directory)}


def test_files_and_directories_come_back_byte_for_byte(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "empty").mkdir(parents=True)
    (model / "deep" / "er").mkdir(parents=True)
    (model / "deep" / "er" / "w.bin").write_bytes(bytes(range(256)) * 100)
    (model / "copy.bin").write_bytes(bytes(range(256)) * 100)
    (model / ".snakemake_timestamp").touch()
    table = tmp_path / "t.parquet"
    table.write_bytes(b"")
    made = recipe(outputs=("model", "table"))
    record = store.publish(made, {"model": model, "table": table}, {"seconds": 2.0})
    assert record is not None
    back = {"model": tmp_path / "new" / "model", "table": tmp_path / "new" / "t.parquet"}
    assert store.restore(made, back)
    expected = {name: data for name, data in tree(model).items() if not name.startswith(".snakemake")}
    assert tree(back["model"]) == expected
    assert back["table"].read_bytes() == b""
    assert digest(back["model"]) == digest(model) == record.outputs["model"].digest
    assert not (back["model"] / ".snakemake_timestamp").exists()


def test_restore_replaces_what_is_there(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "new").write_text("new")
    store.publish(recipe(), {"out": source})
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_text("old")
    assert store.restore(recipe(), {"out": target})
    assert tree(target) == {"new": b"new"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    file = tmp_path / "file"
    file.write_text("content")
    store.publish(recipe(1), {"out": file})
    assert store.restore(recipe(1), {"out": target})
    assert target.read_text() == "content"


def test_restored_files_are_not_links_into_the_store(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    store.publish(recipe(), {"out": file})
    first, second = tmp_path / "first", tmp_path / "second"
    assert store.restore(recipe(), {"out": first})
    first.write_text("changed in place")
    os.utime(first, (0, 0))
    assert store.restore(recipe(), {"out": second})
    assert second.read_text() == "content"
    assert second.stat().st_mtime > 1e9


@pytest.mark.parametrize("field", ["stage", "code", "params", "inputs", "versions", "outputs"])
def test_every_part_of_the_recipe_is_in_the_key(recipe: MakeRecipe, field: str) -> None:
    other = {
        "stage": "toy2",
        "code": "d" * 64,
        "params": {"number": 1},
        "inputs": {"text": ["b" * 64]},
        "versions": {"numpy": "2.1"},
        "outputs": ("out", "more"),
    }
    assert recipe(**{field: other[field]}).key != recipe().key


def test_order_of_paths_of_an_input_counts_and_order_of_names_does_not(recipe: MakeRecipe) -> None:
    a, b = "a" * 64, "b" * 64
    assert recipe(inputs={"x": [a, b]}).key != recipe(inputs={"x": [b, a]}).key
    assert recipe(inputs={"x": [a], "y": [b]}).key == recipe(inputs={"y": [b], "x": [a]}).key
    assert recipe(inputs={"x": [a], "y": [b]}).key != recipe(inputs={"x": [a, b], "y": []}).key


def test_two_hundred_corruptions_are_noticed_and_none_is_served(
    store: Store, recipe: MakeRecipe, tmp_path: Path
) -> None:
    rng = random.Random(7)
    outputs = {}
    for number in range(200):
        if number % 4 == 0:
            path = tmp_path / "made" / str(number)
            path.mkdir(parents=True)
            for member in range(3):
                (path / f"{member}.bin").write_bytes(rng.randbytes(rng.randrange(1, 3000)))
        else:
            path = tmp_path / "made" / f"{number}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(rng.randbytes(rng.randrange(1, 3000)))
        record = store.publish(recipe(number), {"out": path})
        assert record is not None
        outputs[number] = (path, record.outputs["out"].digest)

    kinds = {"flip": 0, "cut": 0, "gone": 0, "grown": 0}
    for _, value in outputs.values():
        victims = [value]
        if value.startswith("tree:"):
            victims += [entry.digest for entry in store.objects.members(value)]
        victim = store.objects.path(rng.choice(victims))
        kind = rng.choice(sorted(kinds))
        kinds[kind] += 1
        data = bytearray(victim.read_bytes())
        victim.chmod(0o644)
        if kind == "flip":
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            victim.write_bytes(bytes(data))
        elif kind == "cut":
            victim.write_bytes(bytes(data[: rng.randrange(len(data))]))
        elif kind == "grown":
            victim.write_bytes(bytes(data) + b"\0")
        else:
            victim.unlink()
    assert min(kinds.values()) > 20

    noticed = 0
    for number in outputs:
        target = tmp_path / "back" / str(number)
        result = store.restore(recipe(number), {"out": target})
        assert not result
        assert not target.exists()
        noticed += result.state == "corrupt" and "out" in result.problems[0]
    assert noticed == 200
    assert list((tmp_path / "back").iterdir()) == []

    for number, (path, _) in outputs.items():  # computed again, all is well
        store.publish(recipe(number), {"out": path})
        assert store.restore(recipe(number), {"out": tmp_path / "back" / str(number)})
        assert digest(tmp_path / "back" / str(number)) == digest(path)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", '{"format": 1}', "\x00\xff"])
def test_a_garbage_record_is_noticed_and_set_aside(store: Store, recipe: MakeRecipe, tmp_path: Path, text: str) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    store.publish(recipe(), {"out": file})
    (path,) = store.record_paths()
    path.chmod(0o644)
    path.write_bytes(text.encode("latin-1"))
    result = store.restore(recipe(), {"out": tmp_path / "back"})
    assert result.state == "corrupt"
    assert not (tmp_path / "back").exists()
    assert not path.exists()
    assert len(list(store.objects.quarantine.iterdir())) == 1


def test_a_record_filed_under_another_key_is_not_served(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    store.publish(recipe(1), {"out": file})
    (path,) = store.record_paths()
    path.rename(path.with_name(f"{recipe(2).key}.json"))
    assert store.restore(recipe(2), {"out": tmp_path / "back"}).state == "corrupt"


def test_publishing_heals_damaged_objects(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    record = store.publish(recipe(), {"out": file})
    assert record is not None
    damaged = store.objects.path(record.outputs["out"].digest)
    damaged.chmod(0o644)
    damaged.write_text("Content")  # of the same size, unnoticed so far
    store.publish(recipe(1), {"out": file})
    assert store.restore(recipe(), {"out": tmp_path / "back"})
    assert (tmp_path / "back").read_text() == "content"


def test_all_outputs_or_none(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("a")
    b.write_text("b")
    record = store.publish(recipe(outputs=("a", "b")), {"a": a, "b": b})
    assert record is not None
    store.objects.path(record.outputs["b"].digest).unlink()
    back = {"a": tmp_path / "back" / "a", "b": tmp_path / "back" / "b"}
    back["a"].parent.mkdir()
    back["a"].write_text("before")
    assert not store.restore(recipe(outputs=("a", "b")), back)
    assert {path.name: path.read_text() for path in back["a"].parent.iterdir()} == {"a": "before"}


def test_refresh_restores_nothing_and_publishes(store: Store, recipe: MakeRecipe, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    store.publish(recipe(), {"out": file})
    fresh = Store(store.root, refresh=True)
    assert fresh.restore(recipe(), {"out": tmp_path / "back"}).state == "refresh"
    assert not (tmp_path / "back").exists()
    file.write_text("two")
    record = fresh.publish(recipe(), {"out": file})
    assert record is not None
    assert "out" in record.meta["differs_from"]
    assert store.restore(recipe(), {"out": tmp_path / "back"})
    assert (tmp_path / "back").read_text() == "two"


@pytest.mark.parametrize("value", ["off", "OFF", "0", "none"])
def test_the_switch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    monkeypatch.setenv(ENVIRONMENT, value)
    assert Store.from_environment(tmp_path) is None
    monkeypatch.delenv(ENVIRONMENT)
    assert Store.from_environment() is None
    found = Store.from_environment(tmp_path)
    assert found is not None
    assert found.root == tmp_path
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "other"))
    monkeypatch.setenv(ENVIRONMENT_REFRESH, "1")
    found = Store.from_environment(tmp_path)
    assert found is not None
    assert found.root == tmp_path / "other"
    assert found.refresh


def test_a_store_that_cannot_be_written_does_not_cost_the_result(
    recipe: MakeRecipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "store")
    made = tmp_path / "made"
    made.write_text("content")
    assert store.publish(recipe(), {"out": made}) is None
    assert "not stored" in caplog.text
    assert store.restore(recipe(), {"out": tmp_path / "back"}).state in ("absent", "corrupt")
    assert made.read_text() == "content"


def _write_many(root: str, source: str, times: int) -> None:
    store = Store(Path(root))
    for number in range(times):
        made = Recipe("toy", "c" * 64, {"number": number % 5}, {}, {}, ("model", "table"))
        store.publish(made, {"model": Path(source) / str(number % 5), "table": Path(source) / f"{number % 5}.txt"})


def test_many_writers_and_readers_of_the_same_keys(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(5):
        (source / str(number)).mkdir(parents=True)
        for member in range(4):
            (source / str(number) / str(member)).write_bytes(bytes([number, member]) * 20_000)
        (source / f"{number}.txt").write_text(str(number) * 1000)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(str(store.root), str(source), 20)) for _ in range(4)]
    for writer in writers:
        writer.start()
    served = 0
    rounds = 0
    while any(writer.is_alive() for writer in writers) or rounds < 10:
        number = rounds % 5
        made = Recipe("toy", "c" * 64, {"number": number}, {}, {}, ("model", "table"))
        back = {"model": tmp_path / "back" / "model", "table": tmp_path / "back" / "table"}
        result = store.restore(made, back)
        assert result.state in ("restored", "absent")
        if result:
            served += 1
            assert digest(back["model"]) == digest(source / str(number))
            assert back["table"].read_text() == str(number) * 1000
        rounds += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert served > 0
    assert list(store.objects.temporary.iterdir()) == []


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_writer_killed_in_between_has_published_nothing(
    store: Store, recipe: MakeRecipe, tmp_path: Path, delay: float
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / str(number)).write_bytes(os.urandom(300_000))
    script = f"""
        from pathlib import Path
        from teachable.artifacts import Recipe, Store
        inputs, versions = {{"text": ["{"a" * 64}"]}}, {{"numpy": "2.0"}}
        made = Recipe("toy", "c" * 64, {{"number": 0}}, inputs, versions, ("out",))
        print("go", flush=True)
        Store(Path({str(store.root)!r})).publish(made, {{"out": Path({str(source)!r})}})
        print("done", flush=True)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "go\n"
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    finished = "done" in child.stdout.read()
    child.wait()
    result = store.restore(recipe(), {"out": tmp_path / "back"})
    if result:  # the record was written: then all of it is there
        assert digest(tmp_path / "back") == digest(source)
    else:
        assert not finished
        assert result.state == "absent"
        assert not (tmp_path / "back").exists()
    store.publish(recipe(), {"out": source})
    assert store.restore(recipe(), {"out": tmp_path / "back"})


def test_a_file_that_changes_while_it_is_stored_is_refused(
    store: Store,
    recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from teachable.artifacts import objects

    file = tmp_path / "file"
    file.write_text("one")
    copy = objects.clone_or_copy

    def racing(source: Path, target: Path) -> None:
        source.write_text("two")
        copy(source, target)

    monkeypatch.setattr(objects, "clone_or_copy", racing)
    assert store.publish(recipe(), {"out": file}) is None
    assert "changed while" in caplog.text
    assert not list(store.record_paths())


def test_what_cannot_be_stored_is_said(store: Store, tmp_path: Path) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    os.mkfifo(directory / "pipe")
    with pytest.raises(StoreError, match="pipe"):
        digest(directory)
    (directory / "pipe").unlink()
    (directory / "loop").symlink_to(directory)
    with pytest.raises(StoreError, match="loop"):
        store.objects.put(directory)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "", "a\0b"])
def test_a_manifest_cannot_reach_out_of_its_directory(path: str) -> None:
    text = json.dumps({"format": 1, "entries": [[path, "a" * 64, 1]]})
    with pytest.raises(ValueError, match="unsafe"):
        decode_manifest(text.encode())


def test_the_digest_of_an_input_is_remembered_only_while_it_is_the_same(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    for text in (
        "two",
        "six",
        "ten",
    ):  # of the same size, within the clock's tick, with the old time put back
        before = file.stat()
        store.digest(file)
        file.write_text(text)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert store.digest(file) == digest(file)


NAMES = st.text("abc", min_size=1, max_size=3)
TREES = st.recursive(st.binary(max_size=40), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8)


def build(path: Path, content: object) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        assert isinstance(content, dict)
        path.mkdir()
        for name, inner in content.items():
            build(path / name, inner)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=TREES, two=TREES)
def test_equal_content_and_equal_digest_are_the_same(
    one: object, two: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("trees")
    build(root / "one", one)
    build(root / "two", two)
    assert (digest(root / "one") == digest(root / "two")) == (one == two)
    store = Store(root / "store")
    made = Recipe("toy", "c" * 64)
    store.publish(made, {"out": root / "one"})
    assert store.restore(made, {"out": root / "back"})
    assert digest(root / "back") == digest(root / "one")
    if (root / "one").is_dir():
        data = manifest(root / "one")
        assert encode_manifest(decode_manifest(data)) == data
    replace(root / "back", root / "two")
    assert digest(root / "two") == digest(root / "one")
