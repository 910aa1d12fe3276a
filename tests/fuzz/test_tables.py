"""Every input of every stage, damaged: the stage refuses it in one sentence, or makes what a sound input makes.

Changed bytes that leave a table readable and within its schema are another table: docs/trust.md has that limit.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.stages import STAGES

from .damage import Damage, of_bytes, of_json, of_table, read
from .profile import cases
from .study import Case, Study, run

TWICE = ("seconds",)  # what differs between equal runs
DEAR = ("train", "drift", "microtrain", "build-student", "evaluate", "predict")  # seconds each: tried less often


def targets(case: Case) -> list[tuple[str, str]]:
    """The inputs of a case that are files, and what they are: table, json or bytes."""
    found = []
    for name in case.line.inputs:
        path = case.first(name)
        if path.is_file():
            kind = "table" if name in case.tables else "json" if path.suffix == ".json" else "bytes"
            found.append((name, kind))
    return found


def lawful(case: Case) -> None:
    """Whatever a stage wrote is what its schema says."""
    for name, artifact in STAGES[case.stage].outputs.items():
        path = Path(case.line.outputs[name])
        if artifact.kind == "table":
            tables.read(path, getattr(tables, str(artifact.schema)))
        elif artifact.kind == "json":
            tables.read_document(path, getattr(tables, str(artifact.schema)))


def same(sound: Mapping[str, bytes], made: Mapping[str, bytes]) -> bool:
    return {name.split("/")[-1]: data for name, data in sound.items()} == {
        name.split("/")[-1]: data for name, data in made.items()
    }


@st.composite
def damages(draw: st.DrawFn, study: Study) -> tuple[Case, str, Damage]:
    names = [name for name, case in study.cases.items() if targets(case)]
    name = draw(st.sampled_from(names))
    if study.cases[name].stage in DEAR and draw(st.booleans()):
        name = draw(st.sampled_from([name for name in names if study.cases[name].stage not in DEAR]))
    case = study.cases[name]
    slot, kind = draw(st.sampled_from(targets(case)))
    data = case.first(slot).read_bytes()
    if kind == "table" and draw(st.integers(0, 3)):
        frame = read(case.first(slot))
        damage = of_table(frame, case.tables[slot]) if frame.height else of_bytes(data)
    elif kind == "json" and draw(st.integers(0, 2)):
        damage = of_json(data)
    else:
        damage = of_bytes(data)
    made = draw(damage)
    if kind != "table" and made.expected == "refused":  # a cut JSON may be whole; pictures are not looked at
        made = replace(made, expected="either")
    return case, slot, made


@cases("tables")
@given(st.data())
def test_a_damaged_input(study: Study, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    case, slot, damage = data.draw(damages(study))
    check(case, slot, damage, tmp_path_factory.mktemp("case"))


def check(case: Case, slot: str, damage: Damage, directory: Path) -> None:
    """Run ``case`` with ``damage`` in the place of the input ``slot``. AssertionError where it ends as it may not."""
    if not case.made():
        run(case.argv)
    sound = case.made()
    if not sound:  # a figure of what so small a study has not
        damage = replace(damage, expected="either" if damage.expected == "same" else damage.expected)
    path = directory / "in" / case.first(slot).name
    path.parent.mkdir()
    path.write_bytes(damage.content)
    tried = case.elsewhere(directory / "out", {slot: str(path)})
    try:
        ended = run(tried.argv)
        told = f"{case.stage}, {slot}: {damage.about}"
        if ended.status:
            assert damage.expected != "same", f"{told}: {ended.said[-500:]}"
            sentence = ended.sentence
            assert len(sentence) < 1500, f"{told}: {sentence}"
            if damage.expected == "refused":
                assert str(path) in sentence, f"{told}: the file is not named: {sentence}"
                assert damage.column in sentence, f"{told}: {damage.column} is not named: {sentence}"
            assert not tried.made(), f"{told}: it was refused and there is an output"
            return
        assert damage.expected != "refused", f"{told}: accepted"
        lawful(tried)
        if damage.expected == "same":
            assert not sound or same(sound, tried.made()), f"{told}: another result, and no word"
    finally:
        shutil.rmtree(directory)


def test_every_stage_that_reads_is_tried(study: Study) -> None:
    tried = {case.stage for case in study.cases.values()}
    assert tried == set(STAGES) - {"warm-start"}, "that one needs a pretrained model: tests/stages has it"
    read_by_none = {artifact.name for artifact in ARTIFACTS.values() if artifact.kind == "table"} - {
        name for case in study.cases.values() for name in case.line.inputs
    }
    assert len(read_by_none) < 30, sorted(read_by_none)  # labels alone are read by people
