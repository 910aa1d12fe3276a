"""The headlines: one estimate a row, with its interval, its n and what it is held against."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from teachable.paper.inputs import Data, Interval, PaperError, frame, intervals, record, select
from teachable.terms import REPLAY_ONLY, UNIFORM, selection_of

ABOUT = {
    "hypothesis": "summary",
    "title": "Headlines",
    "caption": (
        "The main results, one a row: estimate with 95 % interval clustered by game, observations and games behind it, "
        "and the control that it is measured against. Changes are of success, absolute."
    ),
    "inputs": ("label_metrics", "cpt_correlation", "contrasts", "predictor_metrics", "selection_contrasts"),
    "printed": {"wide": True},
}

HEADINGS = {
    "hypothesis": "",
    "headline": "Headline",
    "control": "Control",
    "value": "Estimate",
    "n": "n",
    "games": "Games",
}


def make(data: Data) -> pl.DataFrame:
    """What a run did not measure, or could not, has a row without numbers. Raises PaperError where an input lacks."""
    for name in ("label_metrics", "contrasts", "predictor_metrics", "selection_contrasts"):
        frame(data, name, "point", "low", "high", "n", "clusters")
    record(data, "cpt_correlation", "overall")

    def label(group: str, metric: str) -> Interval:
        return _one(data, "label_metrics", group=group, metric=metric)

    def contrast(name: str, panel: str = "failure") -> Interval:
        return _one(data, "contrasts", contrast=name, panel=panel, group="all", metric="success")

    def correlation(key: str) -> Interval:
        return Interval.of(record(data, "cpt_correlation", "overall", key), key)

    rows: list[tuple[str, str, str, Callable[[], Interval]]] = [
        (
            "H1",
            "Teachability (corrected ELP) where leverage is high",
            "snapshots of low leverage",
            lambda: label("high_L_minus_low_L", "ELP_net_debiased"),
        ),
        ("H1", "Net gain of content patches", "placebo", lambda: label("all", "net_mean")),
        ("H2", "Spearman of ELP and training effect", "no relation", lambda: correlation("spearman")),
        (
            "H2",
            "The same, given leverage",
            "L_local held fixed",
            lambda: correlation("partial_spearman_ELP_given_L"),
        ),
        ("H3", "Gain of the best format, cross-fitted", "demonstrations", lambda: contrast("best_format-vs-demo")),
        ("H4", "Gain on the quadrant trained on", "other quadrants", lambda: contrast("transfer_diagonal_minus_off")),
        ("H5", "Gain from failures, B1 uniform", "replay alone", lambda: contrast(f"{UNIFORM}-vs-{REPLAY_ONLY}")),
        ("H5", "Gain from failures, B1 uniform", "base student", lambda: contrast(f"{UNIFORM}-vs-base")),
        ("H5", "Gain on test games, B1 uniform", "base student", lambda: contrast(f"{UNIFORM}-vs-base", "test")),
        ("H5", "Gain on games it won, B1 uniform", "base student", lambda: contrast(f"{UNIFORM}-vs-base", "retention")),
        ("H6", "NDCG of the predictor, middle k", "entropy", lambda: _ranking(data)),
        ("H7", "Gain of the predictor's choice, smallest k", "choice by entropy", lambda: _selection(data, "entropy")),
        ("H7", "Gain of the predictor's choice, smallest k", "random choice", lambda: _selection(data, "random")),
    ]
    made = []
    for hypothesis, headline, control, measure in rows:
        try:
            value: Interval | None = measure()
        except PaperError:
            value = None
        made.append(
            {
                "hypothesis": hypothesis,
                "headline": headline,
                "control": control,
                "value": value and value.point,
                "value_low": value and value.low,
                "value_high": value and value.high,
                "n": value and value.n,
                "games": value and value.clusters,
            }
        )
    numbers = dict.fromkeys(("value", "value_low", "value_high"), pl.Float64) | {"n": pl.Int64, "games": pl.Int64}
    return pl.DataFrame(made, schema_overrides=numbers)


def _one(data: Data, name: str, **conditions: str) -> Interval:
    """The only stored estimate under ``conditions``."""
    return next(iter(intervals(data, name, next(iter(conditions)), **conditions).values()))


def _ranking(data: Data) -> Interval:
    rows = select(data, "predictor_metrics", method="predictor - entropy", target="ELP_net", metric="ndcg_difference")
    rows = rows.drop_nulls(["point", "k"]).sort("k")
    if rows.is_empty():
        raise PaperError("No difference in NDCG is defined.")
    return Interval.of(rows.row(len(rows) // 2, named=True))


def _selection(data: Data, rival: str) -> Interval:
    rows = select(data, "selection_contrasts", panel="failure", group="all", metric="success")
    pairs = [(selection_of(row["model"]), selection_of(row["reference"]), row) for row in rows.iter_rows(named=True)]
    found = {
        mine[1]: row for mine, other, row in pairs if mine and other and (mine[0], other[0]) == ("predictor", rival)
    }
    if not found:
        raise PaperError(f"The predictor's choice was not compared with that of {rival}.")
    return Interval.of(found[min(found)])
