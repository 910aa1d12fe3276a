"""The page in a real browser: what it shows, where it leads, what it asks for, and how keys work it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from teachable.viewer import Sources, files

from .browser import Page, browser
from .synthetic import HOSTILE, sources

COUNT = 440
ROOT = "document.documentElement.dataset"


@pytest.fixture(scope="module")
def tables() -> Sources:
    return sources(COUNT)


@pytest.fixture(scope="module")
def folder(tables: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("a folder with #, % and ü")
    for name, text in files(tables, preset="toy", verbosity="compact"):
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(running: Page, folder: Path) -> Page:
    """The viewer, freshly opened at 1280 pixels."""
    running.size(1280)
    running.go("about:blank")
    running.until("location.href === 'about:blank'")
    running.requests.clear()
    running.complaints.clear()
    opened(running, folder)
    return running


def opened(page: Page, folder: Path, address: str = "") -> None:
    page.go((folder / "index.html").as_uri() + address)
    page.until(f"{ROOT}.opened")


def shown(page: Page, name: str) -> None:
    page.until(f"{ROOT}.shown === {name!r}")


def main(page: Page) -> str:
    text: str = page.js("document.getElementById('main').innerText")
    return text


def test_nothing_is_asked_for_but_the_page_and_its_data(page: Page, folder: Path, tables: Sources) -> None:
    for name in tables.ordered()["snapshot_id"].gather([0, 250, COUNT - 1]):
        opened(page, folder, f"#id={quote(name, safe='')}")
        shown(page, name)
    own = folder.as_uri() + "/"
    asked = {address.partition("#")[0] for address in page.requests} - {"about:blank"}
    assert asked == {own + name for name in ("index.html", "data/index.js", "data/0.js", "data/2.js", "data/4.js")}
    assert page.complaints == []


def test_text_of_a_game_is_text(page: Page, folder: Path, tables: Sources) -> None:
    """Script, markup, formulas and names of JavaScript's own stand on the page as they stand in the game."""
    rows = {row["student_action"]: row["snapshot_id"] for row in tables.ordered().iter_rows(named=True)}
    for text in HOSTILE:
        opened(page, folder, f"#id={quote(rows[text], safe='')}")
        shown(page, rows[text])
        assert page.js("document.querySelector('.title').textContent") == text
        assert text in page.js("document.getElementById('list').textContent")
        assert text in page.js("document.querySelector('.steps .here .read').textContent + document.title")
    assert page.js("window.broken") is None
    assert page.js("document.querySelectorAll('main img, main script, .list img, .list script').length") == 0
    assert page.complaints == []


def test_a_deep_link_opens_filters_and_snapshot(page: Page, folder: Path, tables: Sources) -> None:
    row = tables.ordered().filter(quadrant="Q2", family="nav").row(3, named=True)
    opened(page, folder, f"#quadrant=Q2&family=nav&id={quote(row['snapshot_id'], safe='')}")
    shown(page, row["snapshot_id"])
    text = main(page)
    assert row["snapshot_id"] in text
    for heading in ("What was measured", "Under each patch", "Advice", "The episode", "As a training example"):
        assert heading in text
    assert page.js("[document.getElementById('quadrant').value, document.getElementById('family').value]") == [
        "Q2",
        "nav",
    ]
    kept = tables.labeled.filter(quadrant="Q2", family="nav").height
    assert page.js("document.getElementById('count').textContent") == f"{kept} of {COUNT} snapshots"
    assert page.js("document.querySelector('[aria-selected=true]').id") == "row-3"
    opened(page, folder, "#id=gone")
    page.until("document.getElementById('main').innerText.includes('No snapshot of this run is called gone')")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("quadrant", "Q1", lambda row: row["quadrant"] == "Q1"),
        ("route", "hint", lambda row: row["route"] == "hint"),
        ("distance", "2", lambda row: row["distance"] == 2),
        ("text", "<SCRIPT", lambda row: "<script" in row["student_action"] or "<script" in row["suggested_action"]),
    ],
)
def test_filters_keep_what_they_say(page: Page, tables: Sources, name: str, value: str, rule: object) -> None:
    expected = sum(map(rule, tables.labeled.iter_rows(named=True)))  # type: ignore[call-overload]
    page.js(
        f"(() => {{ const field = document.getElementById({name!r}); field.value = {value!r};"
        "for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {bubbles: true})); })()"
    )
    page.until(f"document.getElementById('count').textContent === '{expected} of {COUNT} snapshots'")
    assert f"{name}=" in page.js("location.hash")
    page.js("document.getElementById('reset').click()")
    page.until(f"document.getElementById('count').textContent === '{COUNT} snapshots'")


def test_the_order_is_chosen(page: Page, tables: Sources) -> None:
    page.js(
        "(() => { const field = document.getElementById('sort'); field.value = '-L_local';"
        "field.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    first = tables.labeled.sort("L_local", descending=True).row(0, named=True)
    page.until(f"document.querySelector('#row-0 .sub').textContent.includes('L {first['L_local']:.2f}')")
    assert page.js("document.querySelector('#row-0 .did').textContent") == first["student_action"]
    assert page.js("location.hash") == "#sort=-L_local"


def test_runs_and_ends_filter(page: Page, folder: Path, tables: Sources) -> None:
    assert tables.played is not None
    won = tables.played.filter(model="Q1_demo", success=True)["snapshot_id"].n_unique()
    learnt = sum(1 for k in range(COUNT) if k % 40 >= 38)
    lost = tables.labeled.join(tables.episodes.filter("lost"), on="episode_id", how="semi").height  # type: ignore[union-attr]
    for query, expected in (
        ("run=Q1_demo&what=won", won),
        ("run=Q1_demo&what=trained", learnt),
        ("run=base&what=trained", 0),
        ("ended=lost", lost),
    ):
        opened(page, folder, f"#{query}")
        page.until(f"document.getElementById('count').textContent === '{expected} of {COUNT} snapshots'")


def test_a_snapshot_tells_what_each_run_does_there(page: Page, folder: Path, tables: Sources) -> None:
    name = tables.ordered()["snapshot_id"][0]
    opened(page, folder, f"#id={quote(name, safe='')}")
    shown(page, name)
    text = main(page)
    for model in ("base", "Q1_demo", "B1_uniform", "S_oracle_k4"):
        assert model in text
    assert "1 of 1" in text
    assert "0 of 1" in text
    assert page.js("document.querySelectorAll('.values tbody tr').length") == 10
    assert page.js("document.querySelectorAll('.values tbody tr:first-child .meter').length") == 6
    assert page.js("document.querySelectorAll('.steps > li').length") == 12


def test_keys_alone_are_enough(page: Page, tables: Sources) -> None:
    ids = tables.ordered()["snapshot_id"]
    focus = "document.activeElement.id"
    for _ in range(30):
        page.press("Tab")
        if page.js(focus) == "list":
            break
    assert page.js(focus) == "list"
    page.press("ArrowDown")
    page.press("ArrowDown")
    shown(page, ids[1])
    page.press("End")
    shown(page, ids[COUNT - 1])
    page.press("Home")
    page.press("Enter")
    shown(page, ids[0])
    assert page.js(focus) == "main"
    page.press("j")
    shown(page, ids[1])
    page.press("k")
    shown(page, ids[0])
    page.press("/")
    assert page.js(focus) == "text"
    page.press("Escape")
    assert page.js(focus) != "text"
    page.js("history.back()")
    shown(page, ids[1])


def test_at_390_pixels_list_and_snapshot_take_turns(page: Page, tables: Sources) -> None:
    ids = tables.ordered()["snapshot_id"]
    page.size(390, 844)
    visible = "['.browse', '#main'].map((name) => document.querySelector(name).getClientRects().length > 0)"
    assert page.js(visible) == [True, False]
    page.js("document.getElementById('row-0').click()")
    shown(page, ids[0])
    assert page.js(visible) == [False, True]
    wide = "[document.documentElement, document.body, document.getElementById('main')].map((one) => one.scrollWidth)"
    assert max(page.js(wide)) <= 390
    page.js("document.querySelector('.back').click()")
    page.until(f"!{ROOT}.shown")
    assert page.js(visible) == [True, False]


def test_lists_draw_what_is_seen_only(page: Page) -> None:
    assert page.js("document.querySelectorAll('.row').length") < 60
    page.js("document.getElementById('list').scrollTop = 1e9")
    page.until(f"!!document.getElementById('row-{COUNT - 1}')")
    assert page.js("document.querySelectorAll('.row').length") < 60
    assert page.js("document.querySelector('.row').getAttribute('aria-setsize')") == str(COUNT)


def test_without_tables_the_page_says_so(page: Page, tables: Sources, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, text in files(Sources(tables.labeled.head(3)), preset="toy", verbosity="compact"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    opened(page, tmp_path)
    page.js("document.getElementById('row-0').click()")
    page.until(f"{ROOT}.shown")
    text = main(page)
    for sentence in (
        "The steps of this episode are not in these tables",
        "What each command is worth was not measured here",
        "The table of advice is not there",
        "The training sets are not there",
        "No run has been played or probed yet",
        "The episodes behind the labels are not there",
    ):
        assert sentence in text
    (tmp_path / "data/0.js").unlink()
    page.go((tmp_path / "index.html").as_uri() + "?again")
    page.until(f"{ROOT}.opened")
    page.js("document.getElementById('row-1').click()")
    page.until("document.getElementById('main').innerText.includes('data/0.js cannot be loaded')")


def test_a_hundred_thousand_are_browsed_without_loading_them(page: Page, large: Path, many: Sources) -> None:
    """How fast is measured by benchmarks/viewer.py."""
    ids = many.ordered()["snapshot_id"]
    page.requests.clear()
    opened(page, large)
    assert page.js("document.getElementById('count').textContent") == "100,000 snapshots"
    assert page.js("document.querySelectorAll('.row').length") < 60
    for place in (99_999, 50_050):
        page.js(f"location.hash = {('id=' + quote(ids[place], safe=''))!r}")
        shown(page, ids[place])
        assert page.js("document.querySelector('[aria-selected=true]').id") == f"row-{place}"
    page.press("j")
    shown(page, ids[50_051])
    page.js("location.hash = 'quadrant=Q4&family=hard&sort=-U'")
    kept = many.labeled.filter(quadrant="Q4", family="hard").sort("U", descending=True)
    page.until(f"document.getElementById('count').textContent === '{kept.height:,} of 100,000 snapshots'")
    assert page.js("document.querySelector('#row-0 .did').textContent") == kept["student_action"][0]
    asked = [address for address in page.requests if "/data/" in address]
    assert [address.rpartition("/")[2] for address in asked] == ["index.js", "999.js", "500.js"]
