"""The report stands alone, says what failed, and escapes what it is given."""

from __future__ import annotations

import re

import pytest

from teachable.paper import FIGURES, MINIMUM, TABLES, PaperError, render, typeset
from teachable.paper.criteria import criteria
from teachable.paper.report import SMALL_STUDENT, Run, report

RUN = Run(
    preset="laptop",
    seed=7,
    student="built-in <b>student</b>",
    teacher="oracle",
    builtin_student=True,
    counts={"training games": 400, "snapshots": 1234},
    versions={"teachable": "0.1.0", "torch": "2.6"},
)


@pytest.fixture(scope="module")
def made(data):
    pictures = {
        i: render.figure_bytes(render.draw(i, data), dpi=20, formats=("png",))["png"] for i in MINIMUM["figures"]
    }
    frames = {i: typeset.make(i, data) for i in MINIMUM["tables"]}
    return pictures, frames, report(RUN, criteria(data), pictures=pictures, tables=frames)


def test_html_needs_no_network(made) -> None:
    html = made[2].html
    assert html.count("data:image/png;base64,") == len(MINIMUM["figures"])
    assert not re.findall(r"""(?:src|href)=["']https?:""", html)
    assert "<script" not in html
    assert "<link" not in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_both_hold_captions_criteria_notes_and_links(made, data) -> None:
    for text in (made[2].html, made[2].markdown):
        plain = text.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert SMALL_STUDENT in plain
        for item in MINIMUM["figures"]:
            assert FIGURES[item].caption in plain
        for entry in criteria(data):
            assert entry["name"] in plain
            assert entry["advice"] in plain
        for item in (*FIGURES.values(), *TABLES.values()):
            for path in item.files:
                assert f"../{path}" in text
        assert "phase1/labeled_snapshots.parquet" in text
        assert "1,234" in text


def test_what_it_is_given_is_escaped(made) -> None:
    assert "built-in &lt;b&gt;student" in made[2].html
    assert "<b>student</b>" not in made[2].html


def test_rows_of_markdown_tables_have_as_many_cells_as_their_heads(made) -> None:
    lines = made[2].markdown.splitlines()
    counted = 0
    for at, line in enumerate(lines):
        if re.fullmatch(r"\|(?:-+:?\|)+", line):
            width = line.count("|")
            assert lines[at - 1].count("|") == width
            row = at + 1
            while row < len(lines) and lines[row].startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", lines[row])) == width, lines[row]
                row += 1
                counted += 1
    assert counted > 60


def test_the_note_on_the_small_student_is_only_for_it(made, data) -> None:
    other = Run("paper", 7, "Qwen/Qwen3-8B", "gpt-4o-mini", builtin_student=False)
    text = report(other, criteria(data), pictures=made[0], tables=made[1])
    assert SMALL_STUDENT not in text.markdown


def test_the_same_run_gives_the_same_bytes(made, data) -> None:
    assert report(RUN, criteria(data), pictures=made[0], tables=made[1]) == made[2]


def test_a_missing_minimum_figure_is_named(made, data) -> None:
    pictures = {i: picture for i, picture in made[0].items() if i != "h5_3"}
    with pytest.raises(PaperError, match="figure h5_3"):
        report(RUN, criteria(data), pictures=pictures, tables=made[1])
