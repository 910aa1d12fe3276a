"""A point of a figure knows its snapshot and where it lies, and the report leads from it to the viewer."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib.image
import pytest

from teachable.paper import MINIMUM, points, render, typeset
from teachable.paper.report import Run, report

RUN = Run(preset="toy", seed=1, student="s", teacher="t", builtin_student=False)


@pytest.mark.parametrize(("item", "source"), [("h1_1", "labeled"), ("h2_1", "microtraining")])
def test_points_lie_where_they_are_drawn(item: str, source: str, small: dict[str, Any]) -> None:
    picture = render.figure_bytes(render.draw(item, small), dpi=110, formats=("png",))["png"]
    found = points.read(picture)
    assert found
    assert {point.snapshot for point in found} <= set(small[source]["snapshot_id"])
    assert len({point.snapshot for point in found}) == len(found)
    pixels = matplotlib.image.imread(io.BytesIO(picture))
    height, width = pixels.shape[:2]
    for point in found:
        x, y = point.x * width, point.y * height
        around = pixels[round(y) - 5 : round(y) + 6, round(x) - 5 : round(x) + 6, :3]
        assert around.min() < 0.65, point  # at the least the edge of a pale point


def test_the_same_figure_has_the_same_bytes(small: dict[str, Any]) -> None:
    first, second = (render.figure_bytes(render.draw("h1_1", small), dpi=60) for _ in range(2))
    assert first == second
    assert small["labeled"]["snapshot_id"][0].encode() not in first["pdf"]


def test_too_many_points_lead_nowhere(small: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "MOST", 3)
    assert points.read(render.figure_bytes(render.draw("h1_1", small), dpi=60, formats=("png",))["png"]) == []


@pytest.mark.parametrize("picture", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\x01snPtx\0\0\0\0"])
def test_a_picture_that_knows_nothing_has_no_points(picture: bytes) -> None:
    assert points.read(picture) == []


def test_the_report_leads_to_the_viewer(small: dict[str, Any]) -> None:
    pictures = {
        name: render.figure_bytes(render.draw(name, small), dpi=30, formats=("png",))["png"]
        for name in MINIMUM["figures"]
    }
    frames = {name: typeset.make(name, small) for name in MINIMUM["tables"]}
    made = report(RUN, small["criteria"], pictures=pictures, tables=frames, viewer="viewer/index.html")
    expected = sum(len(points.read(picture)) for picture in pictures.values())
    links = re.findall(r'href="viewer/index.html#id=([^"]+)"', made.html)
    assert expected > 0
    assert len(links) == expected
    assert "<script" not in made.html
    assert 'tabindex="-1"' in made.html
    assert "(viewer/index.html)" in made.markdown
    without = report(RUN, small["criteria"], pictures=pictures, tables=frames)
    assert "viewer" not in without.html + without.markdown
