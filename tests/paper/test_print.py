"""Every figure at the size it is printed at: nothing lies on anything, nothing is too small, nothing says more than it
knows."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from teachable.paper import FIGURES, heatmaps, plots, render, style
from teachable.paper.inputs import Undefined

from .conftest import made

DPI = 220
SLACK = 0.4  # points by which boxes may meet: a box is as tall as the tallest letter of its font, drawn or not
WIDTHS = (3.25, 6.75)  # inches, of ICML's one and two columns
SIZES = {"data": 360, "small": 30}
EVERY = [(item, which) for item in FIGURES for which in SIZES]
Corners = np.ndarray  # [4, 2], pixels


class Drawn(NamedTuple):
    figure: Figure
    texts: list[Text]  # those that were drawn, in the layout that was drawn


def inputs(which: str) -> dict[str, Any]:
    return made(SIZES[which])


@cache
def drawn(item: str, which: str) -> Drawn:
    return drawn_of(item, inputs(which))


def drawn_of(item: str, data: dict[str, Any]) -> Drawn:
    figure = render.draw(item, {name: data[name] for name in FIGURES[item].inputs})
    found: dict[int, Text] = {}
    draw = Text.draw

    def record(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            found[id(text)] = text
        draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch, style.theme():
        patch.setattr(Text, "draw", record)
        figure.set_dpi(DPI)
        figure.draw_without_rendering()
    return Drawn(figure, list(found.values()))


def box(text: Text) -> Corners:
    """The corners of a text, without the line that leads to what it names, less :data:`SLACK` all round."""
    assert text.get_rotation() % 90 == 0, "a slanted text needs a slanted box"
    slack = SLACK * DPI / 72
    bounds = Text.get_window_extent(text)
    inner = Bbox.from_extents(bounds.x0 + slack, bounds.y0 + slack, bounds.x1 - slack, bounds.y1 - slack)
    return inner.corners()[[0, 1, 3, 2]]


def apart(one: Corners, other: Corners) -> bool:
    """Whether some side of one of two convex shapes has the other beyond it (the separating axis theorem)."""
    for shape in (one, other):
        for side in np.roll(shape, -1, axis=0) - shape:
            normal = np.array([-side[1], side[0]])
            first, second = one @ normal, other @ normal
            if first.max() <= second.min() or second.max() <= first.min():
                return True
    return False


def marks(axes: Axes) -> list[tuple[float, float, float]]:
    """Centre and radius, in pixels, of every point that is drawn in ``axes``."""
    found = []
    for line in axes.lines:
        if line.get_marker() not in (None, "None", "none", "") and line.get_visible():
            radius = line.get_markersize() / 2 * DPI / 72
            places = line.get_transform().transform(np.column_stack(line.get_data()).astype(float))
            found += [(x, y, radius) for x, y in places]
    for points in axes.collections:
        if isinstance(points, PathCollection) and points.get_alpha() != 0:
            radius = float(np.sqrt(points.get_sizes()[0])) / 2 * DPI / 72 if len(points.get_sizes()) else 0.0
            places = points.get_offset_transform().transform(points.get_offsets())
            found += [(x, y, radius) for x, y in places]
    return [place for place in found if np.isfinite(place).all()]


def covers(corners: Corners, x: float, y: float, radius: float) -> bool:
    """Whether a text lies on more than the rim of a point."""
    ring = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)])
    return not apart(corners, np.array([x, y]) + 0.7 * radius * ring)


def said(text: Text) -> str:
    return " ".join(text.get_text().split())


@pytest.mark.parametrize(("item", "which"), EVERY)
def test_no_two_texts_overlap(item: str, which: str) -> None:
    figure, texts = drawn(item, which)
    boxes = [box(text) for text in texts]
    meeting = [
        (said(texts[i]), said(texts[j])) for i, j in combinations(range(len(texts)), 2) if not apart(boxes[i], boxes[j])
    ]
    assert not meeting
    width, height = figure.bbox.size
    cut = [said(text) for text, corners in zip(texts, boxes, strict=True) if corners.min() < 0]
    cut += [said(t) for t, c in zip(texts, boxes, strict=True) if c[:, 0].max() > width or c[:, 1].max() > height]
    assert not cut, "beyond the edge of the figure"


@pytest.mark.parametrize(("item", "which"), EVERY)
def test_no_text_lies_on_a_point(item: str, which: str) -> None:
    figure, texts = drawn(item, which)
    boxes = [(said(text), box(text)) for text in texts]
    under = {
        name
        for axes in figure.axes
        for x, y, radius in marks(axes)
        for name, corners in boxes
        if covers(corners, x, y, radius)
    }
    assert not under


@pytest.mark.parametrize(("item", "which"), EVERY)
def test_a_figure_has_the_width_of_a_column_or_a_page_and_no_small_type(item: str, which: str) -> None:
    """Subscripts of formulas do not count: they are seven tenths of the text that they stand in, as in the paper."""
    figure, texts = drawn(item, which)
    assert figure.get_figwidth() in WIDTHS
    assert not [(said(text), text.get_fontsize()) for text in texts if text.get_fontsize() < 5.5]
    assert texts


@pytest.mark.parametrize(("item", "which"), EVERY)
def test_a_hollow_mark_has_0_in_its_interval_and_the_figure_says_so(item: str, which: str) -> None:
    figure, texts = drawn(item, which)
    hollow = [
        (axes, line)
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() not in (None, "None", "none", "") and to_rgba(line.get_markerfacecolor()) == (1, 1, 1, 1)
    ]
    assert all(_holds_zero(axes, line) for axes, line in hollow)
    if hollow:
        assert any(plots.HOLLOW in said(text) for text in texts)


def _holds_zero(axes: Axes, mark: Line2D) -> bool:
    (x, y), whiskers = mark.get_xydata()[0], [line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 2]
    upright = [w[:, 1] for w in whiskers if w[0, 0] == w[1, 0] == x and w[:, 1].min() <= y <= w[:, 1].max()]
    lying = [w[:, 0] for w in whiskers if w[0, 1] == w[1, 1] == y and w[:, 0].min() <= x <= w[:, 0].max()]
    return any(ends.min() <= 0 <= ends.max() for ends in upright + lying)


NEGATIVE_ZERO = re.compile("[-\N{MINUS SIGN}]0(\\.0*)?(?![.\\d])")


@pytest.mark.parametrize("item", FIGURES)
def test_nothing_is_minus_nothing(item: str) -> None:
    """Every estimate a little below 0, as is the cut of leverage."""
    tiny = {"point": pl.lit(-0.001), "low": pl.lit(-0.004), "high": pl.lit(-0.0004)}
    data = {
        name: value.with_columns(**tiny) if isinstance(value, pl.DataFrame) and "point" in value.columns else value
        for name, value in inputs("small").items()
    }
    stored = {**data["cpt_correlation"]}
    for part in ("overall", "utility"):
        stored[part] = {key: {**value, "point": -0.001} for key, value in stored[part].items()}
    data |= {"cpt_correlation": stored}
    data |= {"thresholds": {**data["thresholds"], "L_local": {"low": -0.001, "high": -0.001}}}
    try:
        texts = drawn_of(item, data).texts
    except Undefined as error:
        texts = [Text(text=str(error))]
    assert not [said(text) for text in texts if NEGATIVE_ZERO.search(text.get_text())]


def test_matrices_share_one_scale_with_a_bar_and_fade_what_may_be_0() -> None:
    data = inputs("data")
    ends = set()
    for item, matrices in (("h3_1", 1), ("h4_1", 1), ("summary", 2)):
        figure = drawn(item, "data").figure
        images = [image for axes in figure.axes for image in axes.images if image.get_cmap() is style.DIVERGING]
        assert len(images) == matrices
        ends |= {image.get_clim() for image in images}
        for image in images:
            assert image.colorbar is not None
            assert image.colorbar.ax.get_xlabel()
            assert image.axes.get_window_extent().width > 0
    largest = heatmaps.limit_of(data)
    assert ends == {(-largest, largest)}
    assert largest >= data["transfer"]["point"].abs().max()

    wide = data["transfer"].with_columns(
        low=pl.when(pl.col("trained_on") == "Q2").then(-0.3).otherwise(pl.col("point") - 0.001),
        high=pl.when(pl.col("trained_on") == "Q2").then(0.3).otherwise(pl.col("point") + 0.001),
    )
    (image,) = drawn_of("h4_1", {"transfer": wide}).figure.axes[0].images
    opacity = np.asarray(image.get_alpha())
    assert (opacity[1] == heatmaps.FADED).all()
    sure = wide.filter((pl.col("low") > 0) | (pl.col("high") < 0), format="mean")
    assert (opacity == 1).sum() == len(sure) >= 8


def test_the_bar_of_teachability_has_an_arrow_where_points_lie_beyond_its_end() -> None:
    data = inputs("data")
    points = data["labeled"].with_columns(
        ELP_net=pl.when(pl.col("snapshot_id") == "s00003").then(0.99).otherwise(pl.col("ELP_net").clip(-0.2, 0.2))
    )
    for labeled, extend in ((points, "max"), (data["labeled"].with_columns(ELP_net=pl.lit(0.05)), "neither")):
        figure = drawn_of("h1_1", {**data, "labeled": labeled}).figure
        bars = [
            found.colorbar.extend
            for axes in figure.axes
            for found in axes.collections
            if getattr(found, "colorbar", None) is not None
        ]
        assert bars == [extend]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_the_name_of_a_quadrant_lies_in_its_own_part_of_the_plane(share: float) -> None:
    data = inputs("data")
    cut = float(data["labeled"]["U"].quantile(share))
    given = {**data, "thresholds": {**data["thresholds"], "U": {"low": cut, "high": cut}}}
    axes = drawn_of("h1_1", given).figure.axes[0]
    parts = {patch.get_facecolor()[:3]: patch.get_window_extent() for patch in axes.patches}
    names = [text for text in axes.texts if text.get_text() in style.QUADRANT_COLOUR]
    assert len(names) == 4
    for name in names:
        part, extent = parts[to_rgba(style.QUADRANT_COLOUR[name.get_text()])[:3]], name.get_window_extent()
        assert part.x0 <= extent.x0 <= extent.x1 <= part.x1
        assert part.y0 <= extent.y0 <= extent.y1 <= part.y1


def test_points_at_the_origin_keep_apart() -> None:
    """Nine of ten snapshots as sure as can be and without leverage."""
    data = inputs("data")
    near = pl.int_range(pl.len())
    labeled = data["labeled"].with_columns(
        U=pl.when(near % 10 > 0).then(1e-6 * near).otherwise(pl.col("U")),
        L_local=pl.when(near % 10 > 0).then(0.0).otherwise(pl.col("L_local")),
    )
    for item, at in (("h1_1", 0), ("thresholds", 2)):
        axes = drawn_of(item, {**data, "labeled": labeled}).figure.axes[at]
        places = np.array([place[:2] for place in marks(axes)])
        width = axes.get_window_extent().width
        assert len(places) > 300
        assert np.median(places[:, 0]) > axes.get_window_extent().x0 + 0.3 * width


def test_a_measure_that_is_the_same_for_every_model_is_left_out_with_a_sentence() -> None:
    data = inputs("data")
    data = {"mechanistic": data["mechanistic"].filter(pl.col("model").is_in(["base", "Q1_demo", "B2_all"]))}
    same = data["mechanistic"].with_columns(
        point=pl.when(pl.col("metric").is_in(["probe_state_from_base", "probe_state_accuracy"]))
        .then(0.98)
        .otherwise(pl.col("point"))
    )
    whole, less = (drawn_of("a5", {"mechanistic": rows}) for rows in (data["mechanistic"], same))
    titles = [[axes.get_title(loc="left") for axes in one.figure.axes] for one in (whole, less)]
    assert any("state, read" in title for title in titles[0])
    assert not any("state, read" in title for title in titles[1])
    assert "left out: state, read by base's probe (0.98 for every model)" in " ".join(map(said, less.texts))
    own = data["mechanistic"].with_columns(
        point=pl.when(pl.col("metric").is_in(["probe_state_accuracy"]) & (pl.col("model") != "base"))
        .then(0.1)
        .otherwise(pl.col("point"))
    )
    shown = [
        [tuple(line.get_xdata()) for axes in one.figure.axes for line in axes.lines]
        for one in (whole, drawn_of("a5", {"mechanistic": own}))
    ]
    assert shown[0] == shown[1], "a run's own probe is no evidence: it is fitted on the run"


def test_the_fault_in_a_case_is_told_of_the_command_it_is_of() -> None:
    data = inputs("small")
    commands, right = ["take red apple", "close fridge", "go east"], "take red apple"
    labeled = data["labeled"].with_columns(
        student_action=pl.lit(right), commands=pl.lit(commands), logp=pl.lit([-0.1, -3.0, -2.0])
    )
    advice = data["advice"].with_columns(suggested_action=pl.lit(right))
    texts = [said(text) for text in drawn_of("h1_5", {"labeled": labeled, "advice": advice}).texts]
    at = texts.index("poor, because")
    assert texts[at - 2 : at] == ["likeliest other", "go east"]
    usual = [said(text) for text in drawn("h1_5", "small").texts]
    at = usual.index("poor, because")
    assert usual[at - 2 : at] == ["does", "cook carrot with oven"]


def test_a_route_within_the_margin_is_not_called_a_tie() -> None:
    (note,) = [said(text) for text in drawn("h1_3", "data").texts if "route:" in text.get_text()]
    assert "ties" not in note
    assert "the second lies within the margin labels.tie_margin" in note


def test_every_training_of_every_run_has_a_line() -> None:
    losses = inputs("small")["losses"]
    thin = [line for axes in drawn("a6", "small").figure.axes for line in axes.lines if line.get_linewidth() < 0.5]
    assert len(thin) == losses.select("run", "train_seed").n_unique()
    assert {len(line.get_xdata()) for line in thin} == {40}
