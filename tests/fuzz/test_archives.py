"""Archives of a store, damaged and malicious: what comes in is whole, and every other one is a sentence."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teachable.artifacts import Recipe, Store
from teachable.artifacts.archive import export
from teachable.artifacts.maintenance import verify

from .profile import cases
from .study import run


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An archive with files, a directory, an empty directory and an empty file."""
    root = tmp_path_factory.mktemp("archive")
    store = Store(root / "store")
    for number in range(4):
        made = root / f"made{number}"
        if number == 3:
            (made / "below").mkdir(parents=True)
            (made / "below" / "file").write_text("inside")
            (made / "empty").mkdir()
            (made / "nothing").touch()
        else:
            made.write_bytes(bytes(range(256)) * number + b"same")
        recipe = Recipe(
            stage="toy",
            code="c" * 64,
            params={"number": number},
            inputs={"text": ["a" * 64]},
            versions={"numpy": "2.0"},
            outputs=("out",),
        )
        store.publish(recipe, outputs={"out": made}, meta={"seconds": 1.0})
    export(store, root / "all.zip")
    return (root / "all.zip").read_bytes()


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["../../escaped", "/etc/escaped", "a\0b", "\ud83d", "tree:" + "0" * 64, "0" * 64, "x" * 300, "."]),
    st.lists(st.integers(-1, 2), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, inner in pairs:
        found += [(*path, key), *places(inner, (*path, key))]
    return found


@st.composite
def written_otherwise(draw: st.DrawFn, data: bytes) -> bytes:
    """The archive written anew, with a member changed, left out, twice, under another name or packed otherwise."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {info.filename: source.read(info) for info in source.infolist()}
    name = draw(st.sampled_from(sorted(members)))
    kind = draw(st.sampled_from(["json", "json", "bytes", "drop", "twice", "rename", "method", "link"]))
    method, extra = zipfile.ZIP_DEFLATED, []
    if kind == "json":
        name = draw(st.sampled_from([name for name in sorted(members) if name.endswith(".json")]))
        value = json.loads(members[name])
        *path, last = draw(st.sampled_from(places(value)))
        inside = value
        for key in path:
            inside = inside[key]
        if draw(st.booleans()):
            inside[last] = draw(ODD)
        else:
            del inside[last]
        members[name] = json.dumps(value).encode()
    elif kind == "bytes":
        members[name] = draw(
            st.one_of(st.binary(max_size=20), st.sampled_from([b"[" * 100_000, b"1e999", b"NaN", b"\xff"]))
        )
    elif kind == "drop":
        del members[name]
    elif kind == "twice":
        extra.append((name, draw(st.binary(max_size=20))))
    elif kind == "rename":
        members[draw(st.sampled_from(["../escaped", "/tmp/escaped", "", "a" * 300, "objects/zz/zz"]))] = members.pop(
            name
        )
    elif kind == "method":
        method = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
    made = io.BytesIO()
    with pytest.warns() if extra else _quiet(), zipfile.ZipFile(made, "w", method) as target:
        for member, content in [*members.items(), *extra]:
            info = zipfile.ZipInfo(member)
            info.compress_type = method
            if kind == "link" and member == name:
                info.external_attr = 0o120777 << 16
            target.writestr(info, content)
    return made.getvalue()


class _quiet:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    kind = draw(st.sampled_from(["cut", "flip", "splice", "any", "tail", "zeros"]))
    at = draw(st.integers(0, len(data) - 1))
    if kind == "cut":
        return data[:at]
    if kind == "splice":
        return data[:at] + data[draw(st.integers(0, len(data) - 1)) :]
    if kind == "any":
        return draw(st.binary(max_size=40))
    if kind == "tail":
        return data + draw(st.binary(min_size=1, max_size=40))
    changed = bytearray(data)
    if kind == "zeros":
        changed[at : at + 16] = bytes(len(changed[at : at + 16]))
        return bytes(changed)
    for place in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=3)):
        changed[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


@cases("archives")
@given(st.data())
def test_an_archive(archive: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = data.draw(st.one_of(damaged(archive), written_otherwise(archive)))
    root = tmp_path_factory.mktemp("import")
    path = root / "some.zip"
    path.write_bytes(content)
    store = Store(root / "store")
    try:
        ended = run(["store", "--store", str(store.root), "import", str(path)])
        if ended.status and "teachable: " in ended.said:
            assert "some.zip" in ended.sentence
        else:  # what was left out is listed, a line each, and only then is the status not 0
            assert ended.status == (1 if "left out" in ended.said else 0), ended.said
        # What came in is what a store may hold: every record's objects are there and are what their names say.
        if store.root.is_dir():
            assert verify(store), ended.said
            for record in store.every_record():
                target = root / "restored"
                restored = store.restore(record.recipe, outputs=dict.fromkeys(record.outputs, target))
                assert restored, str(restored)
                shutil.rmtree(target) if target.is_dir() else target.unlink()
        # ... and nothing lies beside it.
        assert {entry.name for entry in root.iterdir()} <= {"some.zip", "store"}
        assert not list((store.root / "tmp").glob("*"))
        assert not Path("/tmp/escaped").exists()
    finally:
        shutil.rmtree(root)
