"""Every figure draws from its inputs and from nothing else, and its bytes are reproducible."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from matplotlib.text import Text

from teachable.paper import FIGURES, PaperError, render, style
from teachable.terms import RUNS

LOW = 40  # dots per inch: enough to run every artist
PAIRS = [(item.id, name) for item in FIGURES.values() for name in item.inputs]
FEW = ("h1_1", "h1_2", "h1_3", "h1_4", "h1_5", "h2_1", "a1", "a3", "a4", "thresholds")


def given(data, item: str):
    return {name: data[name] for name in FIGURES[item].inputs}


@pytest.mark.parametrize("item", FIGURES)
def test_draws_from_its_declared_inputs_alone_and_says_how_many(item: str, data) -> None:
    figure = render.draw(item, given(data, item))
    picture = render.figure_bytes(figure, dpi=LOW, formats=("png",))["png"]
    assert picture.startswith(b"\x89PNG")
    width = int.from_bytes(picture[16:20], "big") / LOW
    assert width < 7.2, "wider than a page"
    texts = [figure.get_supxlabel()]
    texts += [text.get_text() for axes in figure.axes for text in (*axes.texts, axes._left_title)]
    assert any("n = " in text or "games" in text or "snapshot" in text for text in texts)


@pytest.mark.parametrize("item", FEW)
def test_draws_from_thirty_snapshots(item: str, small) -> None:
    render.figure_bytes(render.draw(item, given(small, item)), dpi=LOW, formats=("png",))


@pytest.mark.parametrize(("item", "name"), PAIRS)
def test_a_missing_input_is_named(item: str, name: str, data) -> None:
    left = {key: value for key, value in given(data, item).items() if key != name}
    with pytest.raises(PaperError, match=f"'{name}'"):
        render.draw(item, left)


@pytest.mark.parametrize(("item", "name"), PAIRS)
def test_an_empty_table_is_said_in_place_of_a_picture_and_one_without_columns_refused(item, name, data) -> None:
    if not isinstance(data[name], pl.DataFrame):
        pytest.skip("JSON")
    with pytest.raises(PaperError, match=f"'{name}'"):
        render.draw(item, {**given(data, item), name: pl.DataFrame({"other": [1]})})
    try:
        figure = render.draw(item, {**given(data, item), name: data[name].head(0)})
    except PaperError as error:
        said = str(error)
    else:
        drawn = any(axes.lines or axes.collections for axes in figure.axes)
        assert not drawn or item == "summary", (
            "nothing is drawn that was not measured; the summary's other panels stand"
        )
        said = " ".join(text.get_text() for text in figure.findobj(Text))
    assert f"'{name}'" in " ".join(said.split())


@pytest.mark.parametrize("item", ["h1_1", "h1_2", "h7_2", "a4"])
def test_same_inputs_same_bytes_without_dates(item: str, data) -> None:
    first, second = (render.figure_bytes(render.draw(item, given(data, item)), dpi=LOW) for _ in range(2))
    assert first == second
    for word in (b"CreationDate", b"Matplotlib", b"/Type3"):
        assert word not in first["pdf"]
    assert b"CIDFontType2" in first["pdf"], "fonts are not embedded as TrueType"
    assert b"tEXt" not in first["png"]


def test_same_bytes_in_another_process_with_other_settings(data, tmp_path: Path) -> None:
    script = (
        "import hashlib, pickle, sys\n"
        "import matplotlib; "
        "matplotlib.rcParams.update({'font.size': 20, 'pdf.fonttype': 3, 'axes.grid': True})\n"
        "from teachable.paper import render\n"
        "made = pickle.load(open(sys.argv[1], 'rb'))\n"
        "for kind, content in render.figure_bytes(render.draw('h4_2', made), dpi=40).items():\n"
        "    print(kind, hashlib.sha256(content).hexdigest())\n"
    )
    inputs = tmp_path / "inputs"
    inputs.write_bytes(pickle.dumps(given(data, "h4_2")))
    here = render.figure_bytes(render.draw("h4_2", given(data, "h4_2")), dpi=40)
    there = subprocess.run(
        [sys.executable, "-c", script, str(inputs)],
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert there.split() == [word for k, v in here.items() for word in (k, hashlib.sha256(v).hexdigest())]


def test_files_are_written_atomically(data, tmp_path: Path) -> None:
    figure = render.draw("h4_1", given(data, "h4_1"))
    render.save_figure(figure, tmp_path / "a" / "fig.pdf", tmp_path / "b" / "fig.png", dpi=LOW)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["fig.pdf", "fig.png"]


def test_order_of_rows_does_not_matter(data) -> None:
    for item, name in (("h1_1", "labeled"), ("h6_1", "predictor_metrics")):
        turned = {**given(data, item), name: data[name].reverse()}
        pictures = [
            render.figure_bytes(render.draw(item, inputs), dpi=LOW, formats=("png",))["png"]
            for inputs in (given(data, item), turned)
        ]
        assert pictures[0] == pictures[1], item


def test_an_estimate_without_interval_is_a_point(data) -> None:
    transfer = data["transfer"].with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64))
    figure = render.draw("h4_1", {"transfer": transfer})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == 16
    assert not any(" to " in text for text in texts)


def test_two_estimates_for_one_place_are_refused(data) -> None:
    doubled = pl.concat([data["transfer"], data["transfer"].filter(format="mean").head(1)])
    with pytest.raises(PaperError, match="two rows"):
        render.draw("h4_1", {"transfer": doubled})


def test_undefined_correlations_are_said_to_be_undefined(data) -> None:
    stored = data["cpt_correlation"]
    nulls = {**stored["overall"]["spearman"], "point": None, "low": None, "high": None}
    inputs = {
        **given(data, "h2_1"),
        "cpt_correlation": {**stored, "overall": {**stored["overall"], "spearman": nulls}},
    }
    texts = " ".join(text.get_text() for text in render.draw("h2_1", inputs).axes[0].texts)
    assert "Spearman ELP  not defined" in texts


def test_an_unknown_item_is_refused() -> None:
    with pytest.raises(PaperError, match="h9_9"):
        render.draw("h9_9", {})


@pytest.mark.parametrize(
    ("item", "name"), [("h4_1", "transfer"), ("h6_1", "predictor_metrics"), ("h6_4", "predictor_metrics")]
)
def test_measured_but_undefined_numbers_give_a_figure_that_says_so(item: str, name: str, data) -> None:
    nulls = data[name].with_columns(point=pl.lit(None, pl.Float64))
    figure = render.draw(item, {**given(data, item), name: nulls})
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert texts.startswith("Not defined on these data")
    render.figure_bytes(figure, dpi=LOW, formats=("png",))


def test_rounding_noise_does_not_fill_the_page(data) -> None:
    rows = data["microtraining"].with_columns(ELP_net=pl.lit(0.0), delta_micro=pl.lit(1e-16))
    axes = render.draw("h2_1", {**given(data, "h2_1"), "microtraining": rows}).axes[0]
    low, high = axes.get_ylim()
    assert high - low > 0.05


@pytest.mark.parametrize("text", [r"$\frac$", r"costs $5_ and $\x", "a_b^c $$", "${", r"\$ \frac{1}{0} \$"])
def test_texts_from_outside_are_no_formulas(text: str, small) -> None:
    columns = ("observation", "student_action", "family")
    labeled = small["labeled"].with_columns(pl.lit(text).alias(name) for name in columns)
    advice = small["advice"].with_columns(
        pl.lit(text).alias(name) for name in ("suggested_action", "rationale", "why_bad")
    )
    figure = render.draw("h1_5", {**given(small, "h1_5"), "labeled": labeled, "advice": advice})
    render.figure_bytes(figure, dpi=LOW)
    shown = [found for found in figure.findobj(Text) if found.get_text() == text]
    assert len(shown) >= 4
    assert not any(found.get_parse_math() for found in shown)


def test_formulas_of_ones_own_are_read(small) -> None:
    figure = render.draw("h1_4", given(small, "h1_4"))
    assert "$" in figure.axes[0].get_xlabel()
    assert figure.axes[0].xaxis.label.get_parse_math()


def test_seventeen_retention_curves_are_all_named_and_no_name_covers_another(data) -> None:
    one = data["checkpoints"].filter(model="B2_all@last")
    runs = [*RUNS, "C_replay", "C_random", "recovery"]
    rows = [
        one.with_columns(pl.lit(f"{run}@{stage}").alias("model"))
        for run in runs
        for stage in ("first", "middle", "last")
    ]
    every = pl.concat([data["checkpoints"].filter(model="base"), *rows])
    figure = render.draw("h5_2", {"checkpoints": every})
    figure.canvas.draw()
    names = {style.name(run) for run in runs}
    places = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text() in names]
    assert len(places) == len(runs)
    places.sort(key=lambda box: box.y0)
    assert all(low.y0 + 0.8 * low.height < high.y0 for low, high in pairwise(places))
    assert places[0].y0 >= 0
    assert places[-1].y1 <= figure.bbox.y1
