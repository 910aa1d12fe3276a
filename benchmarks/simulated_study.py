"""One simulated study through the product's own statistics: labels, panels, correlations, contrasts, criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from simulated_world import Expected, Size, Truth, draw, episodes, label_tables, microtraining, predictions

from teachable.config.model import Statistics
from teachable.evaluation.contrasts import comparisons, contrast_rows, contrasts_frame
from teachable.evaluation.metrics import metric_rows, metrics_frame
from teachable.evaluation.outcomes import line_up
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import quadrants_of
from teachable.evaluation.transfer import best_format, quadrant_gains, transfer
from teachable.labels import label
from teachable.labels.metrics import label_metrics
from teachable.labels.panels import make_panels
from teachable.paper.criteria import criteria
from teachable.predictor.metrics import Bootstrap, compare, evaluate
from teachable.terms import BASE, FORMATS, QUADRANTS, cell_name, matrix, selection_name
from teachable.training.correlation import cpt_correlation

PARTS = ("labels", "micro", "evaluation", "predictor")


@dataclass(slots=True)
class Result:
    """What one simulated study gave: intervals with the truth behind them, and the criteria."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    criteria: list[dict[str, Any]] = field(default_factory=list)

    def add(self, kind: str, name: str, row: Mapping[str, Any], truth: float | None, here: float | None = None) -> None:
        """One interval. ``truth`` is this study's value in expectation of its noise (null: there is none but its own
        mean), ``here`` that of these trainings."""
        picked = {key: row.get(key) for key in ("point", "low", "high", "clusters", "n", "p_value", "mde")}
        self.rows.append({"kind": kind, "name": name, **picked, "truth": truth, "here": here})


def study(size: Size, truth: Truth, seed: int, *, repetitions: int = 300, parts: Sequence[str] = PARTS) -> Result:
    """One simulated study through all statistics; ``parts`` are those of :data:`PARTS` to look at."""
    rng = np.random.default_rng([seed, 1])
    result = Result()
    latent = draw(size, truth, rng)
    labeled, thresholds = label(*label_tables(size, latent, rng), size.labels)
    labeled = labeled.with_columns(d_expert_bin=pl.lit(None, pl.String))
    known = labeled.join(latent.frame, on="snapshot_id", how="left", maintain_order="left")
    panels = make_panels(labeled.with_columns(family=pl.lit("game")), size.panels, run_seed=seed)
    data: dict[str, Any] = {
        "thresholds": thresholds,
        "restore_check": {"fraction": 1.0},
        "training_summary": {"runs": {run.name: {"probe_shift": 1.0} for run in matrix()}},
    }
    if "labels" in parts:
        data["label_metrics"] = label_metrics(labeled, seed=seed, repetitions=repetitions)
        _label_truths(result, data["label_metrics"], known)
    if "micro" in parts:
        settings = Statistics(level=0.95, repetitions=repetitions)
        micro = microtraining(size, truth, known, panels, np.random.default_rng([seed, 2]))
        data["cpt_correlation"] = cpt_correlation(micro, labeled, settings, seed=seed)
        _correlations(result, data["cpt_correlation"], known, truth)
    if "evaluation" in parts:
        played, expected = episodes(size, truth, known, panels, np.random.default_rng([seed, 3]))
        metrics, contrasts, transferred = _summary(played, labeled, Resampling(repetitions=repetitions), seed)
        selection = pl.col("model").str.starts_with("S_")
        data |= {"metrics": metrics, "transfer": transferred}
        data["contrasts"] = contrasts.filter(~selection)
        data["selection_contrasts"] = contrasts.filter(selection)
        _evaluated(result, metrics, contrasts, transferred, expected, size, truth.best)
    if "predictor" in parts:
        boot = Bootstrap(seed, repetitions)
        guesses = predictions(truth, labeled, np.random.default_rng([seed, 4]))
        ranked = compare(guesses, ks=[size.rank_k], bootstrap=boot, references=("entropy",))
        own = guesses.filter((pl.col("target") != "ELP_net") & (pl.col("method") == "predictor"))
        data["predictor_metrics"] = pl.concat([ranked, evaluate(own, ks=[], bootstrap=boot)])
        null = truth.predictor == truth.entropy
        for row in data["predictor_metrics"].iter_rows(named=True):
            name = f"{row['metric']} of {row['target']}"
            difference = row["metric"].endswith("_difference")
            result.add("ranking" if difference else "predictor", name, row, 0.0 if difference and null else None)
    result.criteria = criteria(data)
    return result


_TRUE = {  # label -> what is behind it
    "U": "U",
    "L_local": "true_L_local",
    "L_local_regressed": "true_L_local",
    "p_policy": "true_p_policy",
    "placebo_gain": "true_placebo_gain",
    "net_mean": "true_net_mean",
    "ELP_net": "true_ELP",
    "ELP_net_debiased": "true_ELP",
}
_SIDES = {"high_L_minus_low_L": ("Q1", "Q4"), "high_U_minus_low_U": ("Q1", "Q2")}


def _label_truths(result: Result, metrics: pl.DataFrame, known: pl.DataFrame) -> None:
    rows = known.drop_nulls("quadrant")
    for row in metrics.iter_rows(named=True):
        group, metric = row["group"], row["metric"]
        if metric.startswith("spearman:") and group == "all":
            result.add("correlation of labels", metric, row, None)
        if metric not in _TRUE or group not in ("all", "Q1", "Q4", *_SIDES):
            continue
        column = pl.col(_TRUE[metric])
        if group in _SIDES:
            side = pl.col("quadrant").is_in(_SIDES[group])
            value = rows.select(column.filter(side).mean() - column.filter(~side).mean()).item()
            kind = f"high minus low, {metric}"
        else:
            here = rows if group == "all" else rows.filter(pl.col("quadrant") == group)
            value = here.select(column.mean()).item()
            kind = "mean" if group == "all" else "mean by quadrant"
            kind += f", {metric}" if metric.startswith("ELP") else " of U" if metric == "U" else " of a label"
            if group != "all" and metric in ("L_local", "p_policy"):
                kind = "mean by quadrant, L_local and p_policy"  # whose noise cuts the quadrants
        result.add(kind, f"{metric}, {group}", row, value)


def _correlations(result: Result, found: Mapping[str, Any], known: pl.DataFrame, truth: Truth) -> None:
    nothing = not (truth.by_teachability or truth.by_leverage)
    for name in ("spearman", "pearson", "spearman_L_local", "spearman_ELP_minus_L_local"):
        result.add("correlation", name, found["overall"][name], 0.0 if nothing else None)
    # What ELP says beyond leverage is nothing where leverage alone decides, whatever noise leverage has.
    result.add(
        "partial correlation",
        "partial_spearman_ELP_given_L",
        found["overall"]["partial_spearman_ELP_given_L"],
        0.0 if not truth.by_teachability else None,
    )
    for quadrant, values in found["per_quadrant"].items():
        result.add("correlation by quadrant", f"spearman, {quadrant}", values["spearman"], 0.0 if nothing else None)
    rows = known.drop_nulls("ELP_net")
    result.add("median, ELP_net_debiased", "median", found["median_net_gain_debiased"], rows["true_ELP"].median())
    result.add(
        "mean of a label", "placebo gain, phase 1b", found["mean_placebo_gain"], rows["true_placebo_gain"].mean()
    )
    result.add("training effect", "mean delta_micro", found["mean_delta_micro"], 0.0 if nothing else None)
    result.add("training effect", "delta, Q1 - Q2", found["utility_Q1_minus_Q2"], 0.0 if nothing else None)


def _summary(
    episodes: pl.DataFrame, labeled: pl.DataFrame, settings: Resampling, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """As ``evaluation.summary.summarise``, of success alone and of levels of three models: a fifth of the time."""
    quadrants = quadrants_of(labeled)
    few = pl.col("model").is_in((BASE, "B1_uniform", "Q1_demo"))
    levels: list[dict[str, Any]] = []
    compared: list[dict[str, Any]] = []
    transferred = pl.DataFrame()
    for panel in ("failure", "test", "retention"):
        outcomes = line_up(episodes, panel, quadrants)
        levels += metric_rows(line_up(episodes.filter(few), panel, quadrants), settings, seed=seed)
        plan = [replace(one, metrics=("success",)) for one in comparisons(outcomes.models)]
        compared += contrast_rows(outcomes, plan, settings, seed=seed)
        if panel == "failure":
            transferred, diagonal = transfer(outcomes, settings, seed=seed)
            compared += diagonal + best_format(outcomes, settings, seed=seed)
            compared += quadrant_gains(outcomes, settings, seed=seed)
    return metrics_frame(levels), contrasts_frame(compared), transferred


def _evaluated(
    result: Result,
    metrics: pl.DataFrame,
    contrasts: pl.DataFrame,
    transfer: pl.DataFrame,
    expected: Expected,
    size: Size,
    best: float,
) -> None:
    for row in metrics.filter(pl.col("metric") == "success").iter_rows(named=True):
        model, panel, group = row["model"], row["panel"], row["group"]
        if model in (BASE, "B1_uniform", "Q1_demo") and group in ("all", "Q1"):
            mean = expected.mean(model, panel, group)
            kind = "rate" if model == BASE or size.seeds == 1 else "rate over trainings"
            result.add(kind, f"{model}, {panel}, {group}", row, mean, expected.here(model, panel, group))
    ratios = metrics.filter((pl.col("metric") == "repeat_rate") & (pl.col("model") == BASE), group="all")
    for row in ratios.iter_rows(named=True):
        result.add("ratio", f"repeat_rate, {row['panel']}", row, 0.25)
    wanted = {
        "B1_uniform-vs-base",
        "B1_uniform-vs-C_replay",
        "Q1_demo-vs-C_replay",
        "C_random-vs-C_replay",
        "C_random-vs-B1_uniform",
        "recovery-vs-C_replay",
        f"{selection_name('oracle', size.k)}-vs-{selection_name('random', size.k)}",
    }
    for row in contrasts.filter(pl.col("metric") == "success").iter_rows(named=True):
        name, panel, group = row["contrast"], row["panel"], row["group"]
        if name in wanted and group in ("all", "Q1", "Q3"):
            a, b = row["model"], row["reference"]
            mean = expected.mean(a, panel, group) - expected.mean(b, panel, group)
            here = expected.here(a, panel, group) - expected.here(b, panel, group)
            kind = f"contrast, {panel}" if group == "all" else "contrast by quadrant"
            result.add(kind, f"{name}, {panel}, {group}", row, mean, here)
        elif name.startswith("gain_Q1_minus_Q3_B1"):
            pairs = [
                expected.mean("B1_uniform", "failure", q) - expected.mean("C_replay", "failure", q)
                for q in ("Q1", "Q3")
            ]
            result.add("gain Q1 - Q3", name, row, pairs[0] - pairs[1])
        elif name == "transfer_diagonal_minus_off":
            result.add("transfer diagonal", name, row, _diagonal(expected))
        elif name == "transfer_diagonal_permutation":
            result.add("permutation", name, row, None)
        elif name == "best_format-vs-demo" and group == "all":  # of what was chosen: nothing where all are alike
            result.add("best format", "best format", row, None if best else 0.0)
    for row in transfer.filter(pl.col("format") == "mean").iter_rows(named=True):
        cell = [expected.mean(cell_name(row["trained_on"], f), "failure", row["evaluated_on"]) for f in FORMATS]
        mean = float(np.mean(cell)) - expected.mean(BASE, "failure", row["evaluated_on"])
        result.add("transfer entry", f"{row['trained_on']} on {row['evaluated_on']}", row, mean)


def _diagonal(expected: Expected) -> float:
    d = np.array(
        [
            [
                np.mean([expected.mean(cell_name(i, f), "failure", j) for f in FORMATS])
                - expected.mean(BASE, "failure", j)
                for j in QUADRANTS
            ]
            for i in QUADRANTS
        ]
    )
    return float(np.trace(d) / 4 - (d.sum() - np.trace(d)) / 12)
