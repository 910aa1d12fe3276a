"""The report in a real browser, as wide as a desk and as a telephone: nothing is cut off, wide tables can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from viewer.browser import Page, browser

from teachable.paper import MINIMUM, TABLES, render, typeset
from teachable.paper.criteria import criteria
from teachable.paper.report import report

from .test_report import FILES, RUN
from .test_tables import given

# Of each table: its name, how far it can be scrolled, and after that where its first column is, from the box's left.
TABLES_SEEN = """[...document.querySelectorAll('.scroll')].map(box => {
  box.scrollLeft = 1e6;
  const left = box.getBoundingClientRect().left, keys = [...box.querySelectorAll('tbody .key')];
  return {name: box.getAttribute('aria-label'), by: box.scrollLeft, wide: box.clientWidth, focus: box.tabIndex,
          at: keys.map(key => key.getBoundingClientRect().left - left),
          widths: keys.map(key => key.getBoundingClientRect().width),
          under: keys.map(key => getComputedStyle(key).backgroundColor)};
})"""
# Numbers whose text stands on more than one line.
BROKEN = """[...document.querySelectorAll('.data td.number')].filter(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map(box => box.top)).size > 1;
}).map(cell => cell.innerText)"""


@pytest.fixture(scope="module")
def address(data, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run with every table."""
    pictures = {
        name: render.figure_bytes(render.draw(name, data), dpi=40, formats=("png",))["png"]
        for name in MINIMUM["figures"]
    }
    frames = {name: typeset.make(name, given(data, name)) for name in TABLES}
    made = report(RUN, criteria(data), pictures=pictures, tables=frames, files=FILES)
    path: Path = tmp_path_factory.mktemp("mailed") / "report.html"
    path.write_text(made.html, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("width", [1280, 390])
def test_wide_tables_scroll_in_their_boxes_and_keep_their_first_column_in_sight(
    running: Page, address: str, width: int
) -> None:
    running.size(width)
    running.go(address)
    running.until("document.readyState === 'complete' && document.querySelectorAll('.scroll').length > 10")
    assert running.js("document.documentElement.scrollWidth") <= width, "the page itself does not scroll sideways"
    assert running.js("document.body.getBoundingClientRect().width") <= 1000
    boxes = running.js(TABLES_SEEN)
    wide = [box for box in boxes if box["by"] > 1]
    assert len(wide) >= {1280: 1, 390: 15}[width]
    for box in wide:
        assert box["focus"] == 0, "the arrow keys scroll it"
        assert box["at"], box["name"]
        assert all(abs(at) < 1 for at in box["at"]), box["name"]
        assert max(box["widths"]) < 0.62 * box["wide"], f"{box['name']}: its first column leaves no room for others"
        assert "rgba(0, 0, 0, 0)" not in box["under"], "what passes below it does not show through"
    assert running.js(BROKEN) == []
    assert not running.complaints


def test_a_criterion_leads_to_its_figure_and_nothing_is_fetched(running: Page, address: str) -> None:
    running.size(1280)
    running.requests.clear()
    running.go(address)
    running.until("document.querySelector('#criteria .key a') !== null")
    place = running.js("document.querySelector('#criteria .key a').getAttribute('href')")
    running.js("document.querySelector('#criteria .key a').click()")
    running.until(f"location.hash === {place!r}")
    top = running.until(
        "document.querySelector(':target') && document.querySelector(':target').getBoundingClientRect().top + 1"
    )
    assert -1 < top < 900
    assert {one.partition(":")[0] for one in running.requests} <= {"file", "data"}
    assert [one for one in running.requests if one.startswith("file:")] == [address]
