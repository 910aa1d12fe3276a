"""The report stands alone, says what failed and what to do first, leads to what it names, escapes what it is given."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest
from viewer.synthetic import sources

from teachable.paper import FIGURES, MINIMUM, TABLES, PaperError, render, typeset
from teachable.paper.criteria import criteria, shown
from teachable.paper.report import FIRST, SMALL_STUDENT, Report, Run, packed, report
from teachable.paper.report.run import archive
from teachable.viewer import files

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
    return pictures, frames, report(RUN, criteria(data), pictures=pictures, tables=frames, files=FILES)


FILES = {"fig_h1_1.pdf": b"%PDF-1.4", "tab_h1_1.csv": b"a,b\n1,2\n", "tab_h1_1.tex": b"x", "tab_h1_1_full.tex": b"y"}


def hrefs(html: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([^"]*)"', html)]


def leads_within(html: str, address: str) -> bool:
    return address.startswith("#") and f'id="{address[1:]}"' in html


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
                assert (path if text == made[2].html else f"../{path}") in text
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
    again = report(RUN, criteria(data), pictures=made[0], tables=made[1], files=FILES)
    assert again == made[2]
    assert archive(again, None) == archive(made[2], None)


def test_a_missing_minimum_figure_is_named(made, data) -> None:
    pictures = {i: picture for i, picture in made[0].items() if i != "h5_3"}
    with pytest.raises(PaperError, match="figure h5_3"):
        report(RUN, criteria(data), pictures=pictures, tables=made[1])


def test_a_page_that_is_mailed_alone_holds_all_that_it_leads_to(made) -> None:
    html = made[2].html
    found = hrefs(html)
    assert len(found) > 30
    assert not [
        address[:80] for address in found if not leads_within(html, address) and not address.startswith("data:")
    ]
    carried = dict(re.findall(r'href="data:[^;]+;base64,([^"]*)" download="([^"]+)"', html))
    assert {name: base64.b64decode(content) for content, name in carried.items()} == FILES


def test_an_archive_holds_the_viewer_too_and_every_link_in_it_resolves(made, data, tmp_path: Path) -> None:
    viewer = tmp_path / "viewer"
    for name, text in files(sources(30), preset="toy", verbosity="compact"):
        (viewer / name).parent.mkdir(parents=True, exist_ok=True)
        (viewer / name).write_text(text, encoding="utf-8")
    (viewer / ".snakemake_timestamp").touch()
    page = report(RUN, criteria(data), pictures=made[0], tables=made[1], files=FILES, viewer="viewer/index.html")
    made_once = archive(page, viewer)
    assert made_once == archive(page, viewer)
    with zipfile.ZipFile(io.BytesIO(made_once)) as members:
        names = members.namelist()
        assert names[0] == "report.html"
        assert set(names[1:]) == {
            path.relative_to(tmp_path).as_posix() for path in viewer.rglob("*.*") if path.stem[0] != "."
        }
        html = members.read("report.html").decode()
    beside = [address for address in hrefs(html) if not leads_within(html, address) and not address.startswith("data:")]
    assert len(beside) > 10
    assert {unquote(address.partition("#")[0]) for address in beside} == {"viewer/index.html"} <= set(names)
    assert all(list(parse_qs(rest)) == ["id"] for _, _, rest in (a.partition("#") for a in beside) if rest)
    assert "send <code>report.zip</code>" in html


def test_an_archive_has_no_time_of_its_own() -> None:
    with zipfile.ZipFile(io.BytesIO(packed([("b", b"1"), ("a/c", b"2")]))) as members:
        assert [member.filename for member in members.infolist()] == ["b", "a/c"]
        assert {member.date_time for member in members.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_every_criterion_says_where_it_is_seen_and_leads_there(made, data) -> None:
    anchors = {f"fig-{name}" for name in FIGURES} | {f"tab-{name}" for name in TABLES}
    entries = criteria(data)
    assert len(entries) > 40
    assert {shown(entry["id"]) for entry in entries} <= anchors
    assert shown("selection_oracle_diverse_oracle_k8") == shown("selection_oracle_diverse_oracle")
    assert shown("no_such_criterion") is None
    html = made[2].html
    for entry in entries:
        row = html[html.index(f'<tr id="criterion-{entry["id"]}"') :].partition("</tr>")[0]
        place = shown(entry["id"])
        there = place.partition("-")[2] in (made[0] if place.startswith("fig") else made[1])
        assert hrefs(row) == ([f"#{place}"] if there else [])


def test_no_criterion_stores_where_it_is_seen(data) -> None:
    assert not any({"shown", "figure", "place"} & set(entry) for entry in criteria(data))


def test_what_to_do_first_stands_above_all_else(made, data) -> None:
    entries = [
        {**entry, "passed": index not in (3, 5, 6, 9, 12, 15), "advice": f"advice {(3, 3, 4)[index % 3]} {index // 6}"}
        for index, entry in enumerate(criteria(data))
    ]
    page = report(RUN, entries, pictures=made[0], tables=made[1])
    for text in (page.html, page.markdown):
        first = text[: text.index("Criteria</h2>" if text == page.html else "## Criteria")]
        said = re.findall(r"advice \d \d", first)
        assert said == ["advice 3 0", "advice 4 0", "advice 3 1"], "each piece of advice once, in the protocol's order"
        assert len(said) == FIRST
    assert f'<a href="#criterion-{entries[3]["id"]}">' in page.html
    well = report(RUN, [{**e, "passed": True, "advice": ""} for e in entries], pictures=made[0], tables=made[1])
    assert isinstance(well, Report)
    assert "Do first" not in well.html + well.markdown
