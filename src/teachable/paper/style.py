"""How every figure looks: sizes, fonts, one colour for each quadrant and format, and names for people.

Colours are from Okabe & Ito's palette but for two quadrants, which that one does not tell apart with every colour
vision; a quadrant also has its own marker.
Fonts are those that come with matplotlib, so that a figure has the same bytes on every machine.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from teachable.formats import FORMATS
from teachable.paper.sheet import COLUMN as COLUMN
from teachable.paper.sheet import PAGE as PAGE
from teachable.terms import selection_of

SMALLEST = 5.5  # points: no text is smaller but a subscript

INK = "#1F2328"
MUTED = "#6B7280"
FAINT = "#C9CDD3"
GRID = "#ECEEF1"
ACCENT = "#B4232C"  # thresholds and what fails

QUADRANT_COLOUR = {"Q1": "#D55E00", "Q2": "#882255", "Q3": "#8D949E", "Q4": "#0072B2"}
QUADRANT_MARKER = {"Q1": "o", "Q2": "s", "Q3": "D", "Q4": "^"}
QUADRANT_NAME = {
    "Q1": "high U, high L",
    "Q2": "high U, low L",
    "Q3": "low U, low L",
    "Q4": "low U, high L",
}
FORMAT_COLOUR = {name: kind.colour for name, kind in FORMATS.items()}
FORMAT_MARKER = {name: kind.marker for name, kind in FORMATS.items()}
MODEL_MARKER = {**FORMAT_MARKER, "uniform": "D", "all": "p", "recovery": "v"}  # by the last word of a run's name
BASE_MARKER = "X"  # the base student beside runs; a hollow marker says something else: 0 inside the interval
PROFILE_COLOUR = {
    "A_bottleneck": "#009E73",
    "B_trajectory": "#E69F00",
    "C_deadend": "#7D8590",
    "mixed": "#56B4E9",
}
PROFILE_NAME = {
    "A_bottleneck": "bottleneck",
    "B_trajectory": "trajectory",
    "C_deadend": "dead end",
    "mixed": "mixed",
}
METHOD_COLOUR = {
    "predictor": "#D55E00",
    "tier1": "#E69F00",
    "tier2": "#CC79A7",
    "L_local": "#0072B2",
    "UxL": "#56B4E9",
    "entropy": "#009E73",
    "random": "#9AA0A8",
    "oracle": "#1F2328",
    "oracle_diverse": "#1F2328",
    "predictor_diverse": "#D55E00",
    "oracle_features": "#1F2328",
    "eef_failures": "#CC79A7",
    "eef_error": "#56B4E9",
    "influence": "#0072B2",
    "loss": "#8C564B",
    "diversity": "#E69F00",
}
METHODS = ("oracle_features", "predictor", "tier2", "tier1", "UxL", "L_local", "entropy", "random")
SELECTIONS = (
    "oracle",
    "oracle_diverse",
    "predictor",
    "predictor_diverse",
    "eef_failures",
    "eef_error",
    "influence",
    "loss",
    "diversity",
    "entropy",
    "random",
)

_NAMES = {
    "base": "base student",
    "B1_uniform": "B1 uniform",
    "B2_all": "B2 all",
    "recovery": "recovery",
    "tier1": "tier 1 only",
    "tier2": "tier 2 only",
    "L_local": "leverage only",
    "UxL": "U \N{MULTIPLICATION SIGN} L",
    "oracle_features": "oracle features",
    "oracle_diverse": "oracle, diverse",
    "predictor_diverse": "predictor, diverse",
    "eef_failures": "expert failures",
    "eef_error": "error reduction",
    "first": "first",
    "middle": "middle",
    "last": "last",
}

DIVERGING = LinearSegmentedColormap.from_list(
    "teachable_diverging", ["#2B5C8A", "#7FA8C9", "#F4F4F2", "#E9A27C", "#A63A1E"]
)
"""Blue (harm) over near-white (nothing) to red-orange (gain)."""
SEQUENTIAL = LinearSegmentedColormap.from_list("teachable_sequential", ["#F7F8FA", "#9CC3DC", "#1F5F8B", "#0B2B45"])


def name(thing: str) -> str:
    """A run, method, selection or feature as a person would write it: ``Q1_demo`` -> ``Q1 demo``."""
    if found := selection_of(thing):
        return f"{name(found[0])}, k = {found[1]}"
    bare = thing.removeprefix("S_")
    return _NAMES.get(bare, bare.replace("_", " "))


def model_colour(model: str) -> str:
    """The colour of a run: its quadrant's, its selection method's, or ink."""
    if model[:2] in QUADRANT_COLOUR:
        return QUADRANT_COLOUR[model[:2]]
    found = selection_of(model)
    return METHOD_COLOUR.get(found[0] if found else model, MUTED if model == "base" else INK)


def model_marker(model: str) -> str:
    """The marker of a run: its format's."""
    return MODEL_MARKER.get(model.rsplit("_", 1)[-1], "D")


HALO = [patheffects.withStroke(linewidth=1.8, foreground="white")]
"""Keeps a label readable where it crosses a line."""

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "text.parse_math": False,  # a text may come from a game, a teacher or a configuration; see `own_math`
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 6,
    "axes.labelsize": 7,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "legend.handlelength": 1.2,
    "legend.handletextpad": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "patch.linewidth": 0.6,
    "text.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.04,
    "figure.constrained_layout.w_pad": 0.04,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "teachable",
    "axes.unicode_minus": True,
}


@contextmanager
def theme() -> Iterator[None]:
    """Draw and save inside of this: matplotlib's defaults with :data:`RC`, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)  # type: ignore[arg-type]
        yield


def figure(width: float, height: float) -> Figure:
    """An empty figure (inches) with constrained layout, independent of pyplot."""
    return Figure(figsize=(width, height), layout="constrained")


def own_math(drawn: Figure) -> None:
    """Read formulas in the titles and axis labels of a figure: those are this package's own words."""
    every = [place for axes in drawn.axes for place in (axes, *axes.child_axes)]
    for axes in every:
        for text in (axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title, axes._right_title):  # type: ignore[attr-defined]
            text.set_parse_math(True)


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    drawn = figure(width, height)
    return drawn, drawn.subplots()


def footnote(drawn: Figure, text: str) -> None:
    """The lines below a figure that say what n and the whiskers are, broken to its width."""
    width = int(drawn.get_size_inches()[0] * 72 / (5.8 * 0.56))
    drawn.supxlabel("\n".join(textwrap.wrap(text, width)), x=0.01, ha="left", fontsize=5.8, color=MUTED)


def grid(axes: Axes, axis: str = "y") -> None:
    """Faint lines along one axis, and no spine across them."""
    axes.grid(True, axis=axis)  # type: ignore[arg-type]
    axes.tick_params(axis=axis, length=0)  # type: ignore[arg-type]
    axes.spines["left" if axis == "y" else "bottom"].set_visible(False)


def at_least(axes: Axes, span: float, axis: str = "y") -> None:
    """Widen an axis about its middle to ``span``, so that noise of rounding does not fill the page."""
    low, high = axes.get_ylim() if axis == "y" else axes.get_xlim()
    if abs(high - low) < span:
        middle, half = (low + high) / 2, (span if high > low else -span) / 2
        (axes.set_ylim if axis == "y" else axes.set_xlim)(middle - half, middle + half)


def zero(axes: Axes, axis: str = "y", at: float = 0.0) -> None:
    """A thin line where nothing changes."""
    draw = axes.axhline if axis == "y" else axes.axvline
    draw(at, color=MUTED, linewidth=0.7, zorder=1)


def threshold(axes: Axes, value: float, axis: str = "y", text: str = "", *, left: bool = False) -> None:
    """A dashed line at a criterion's threshold, with its name at one end."""
    if axis == "y":
        axes.axhline(value, color=ACCENT, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            text,
            (0 if left else 1, value),
            xycoords=axes.get_yaxis_transform(),
            xytext=(2 if left else 0, 2),
            textcoords="offset points",
            ha="left" if left else "right",
            va="bottom",
            color=ACCENT,
            fontsize=5.8,
        )
    else:
        axes.axvline(value, color=ACCENT, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            text,
            (value, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(2, 0),
            textcoords="offset points",
            ha="left",
            va="bottom",
            color=ACCENT,
            fontsize=5.8,
        )
