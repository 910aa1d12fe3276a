"""Made-up inputs for the tests of the paper room: the shape of real ones, the numbers of nothing.

``frames(snapshots)`` gives every logical input. It lives here and only here: nothing in ``src`` may make data up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
from lawful import allowed

from teachable import tables
from teachable.student.prompt import Transition
from teachable.terms import FORMATS, QUADRANTS, RUNS
from teachable.worlds.textworld.words import WORDS

PROFILES = ("A_bottleneck", "B_trajectory", "C_deadend", "mixed")
FAMILIES = ("easy", "medium", "nav", "hard")
SELECTED = {
    "random": 0.05,
    "entropy": 0.08,
    "predictor": 0.13,
    "predictor_diverse": 0.14,
    "oracle": 0.16,
    "oracle_diverse": 0.17,
    "eef_failures": 0.09,
    "eef_error": 0.07,
}
BUDGETS = (8, 24)
SENTENCES = (
    "You are in the kitchen. You see a closed fridge, an oven and a table. On the table there is a cookbook.",
    "The knife cannot cut what you do not hold; take the red apple from the counter before slicing it.",
)


def fit(rows: list[dict[str, Any]], schema: tables.Schema) -> pl.DataFrame:
    """Rows as a frame of the schema; columns that are not given are null, or hold anything where null may not be."""
    if "interval_method" in schema:
        rows = [{**row, "interval_method": "cluster_bootstrap_percentile_95"} for row in rows]
    if isinstance(schema, tables.Table):
        rows = [{name: allowed(row.get(name), what) for name, what in schema.columns.items()} for row in rows]
    return tables.conform(pl.DataFrame([{k: row.get(k) for k in schema} for row in rows], schema=dict(schema)), schema)


def interval(
    rng: np.random.Generator, point: float, half: float = 0.07, n: int = 80, games: int = 40
) -> dict[str, Any]:
    low, high = point - half * rng.uniform(0.7, 1.3), point + half * rng.uniform(0.7, 1.3)
    return {
        "point": float(point),
        "low": float(low),
        "high": float(high),
        "method": "cluster_bootstrap_percentile_95",
        "repetitions": 2000,
        "seed": 7,
        "clusters": games,
        "n": n,
    }


def labeled(count: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        u = float(rng.gamma(4, 0.28))
        p_policy = float(rng.beta(1.4, 4))
        l_local = float(np.clip(rng.gamma(1.5, 0.16) - 0.05, -0.2, 1 - p_policy))
        p_force, p_expert = p_policy + l_local, min(1.0, p_policy + l_local + abs(float(rng.normal(0, 0.3))))
        gains = {
            m: float(rng.normal(0.05 + 0.55 * max(l_local, 0) * w, 0.06))
            for m, w in zip(FORMATS, (1.0, 0.95 if u > 1 else 0.6, 0.5), strict=True)
        }
        placebo = float(rng.normal(0.0, 0.03))
        best = max(gains, key=lambda m: gains[m])
        profile = (
            "C_deadend"
            if p_expert - p_policy < 0.3
            else "A_bottleneck"
            if l_local > 0.3
            else "B_trajectory"
            if l_local < 0.2
            else "mixed"
        )
        invalid = i % 29 == 28
        rows.append(
            {
                "snapshot_id": f"s{i:05d}",
                "task_id": f"t{i // 4:04d}",
                "family": FAMILIES[(i // 4) % 4],
                "source": "student",
                "kind": "failure",
                "episode_id": f"e{i // 2}",
                "step": i % 12,
                "distance": 2 + i % 4,
                "prefix": ["examine cookbook", "open fridge"],
                "digest": f"d{i}",
                "memo": "Ingredients: red apple, salt.",
                "goal": "You are hungry! Check the cookbook for the recipe, then prepare and eat the meal.",
                "scene": SENTENCES[0],
                "observation": "You open the fridge. Inside you see a red apple, a carrot & 50% milk.",
                "history": [Transition("open fridge", "You open the fridge.").columns()],
                "commands": ["take red apple", "close fridge", "go east"],
                "logp": [-0.6, -1.2, -1.9],
                "student_action": "cook carrot with oven",
                "expert_action": "take red apple from counter",
                "suggested_action": "take red apple from counter",
                "error_type": "planning_error",
                "confidence": "high",
                "advice_valid": not invalid,
                "unwinnable": p_expert < 0.1,
                **dict.fromkeys(tables.MEASURES, u),
                "U": u,
                "p_policy": p_policy,
                "p_policy_se": 0.08,
                "p_force": p_force,
                "p_force_se": 0.09,
                "p_expert": p_expert,
                "p_expert_se": 0.05,
                "p_base": p_policy,
                "p_base_se": 0.07,
                "p_placebo": p_policy + placebo,
                "p_placebo_se": 0.07,
                **{f"p_{m}": p_policy + placebo + gains[m] for m in FORMATS},
                **{f"p_{m}_se": 0.07 for m in FORMATS},
                "L_local": l_local,
                "L_local_se": 0.1,
                "L_upper": p_expert - p_policy,
                "L_upper_se": 0.09,
                "gap": p_expert - p_force,
                "profile": profile,
                **(
                    {}
                    if invalid
                    else {
                        **{f"raw_{m}": gains[m] + placebo for m in FORMATS},
                        **{f"net_{m}": gains[m] for m in FORMATS},
                        "placebo_gain": placebo,
                        "ELP_net": gains[best],
                        "ELP_raw": gains[best] + placebo,
                        "ELP_net_debiased": gains[best] - 0.03,
                        "route": best,
                        "route_tied": i % 11 == 0,
                    }
                ),
                "d_expert": i % 4,
                "d_force": i % 5,
                "d_expert_bin": ("0", "1", "2", "3+")[i % 4],
                "d_force_bin": ("0", "1", "2", "3+")[min(3, i % 5)],
                "estimator": "tree",
            }
        )
    made = fit(rows, tables.LABELED)
    u, high_l = made["U"].median(), made.filter("advice_valid")["L_local"].median()
    high_u = pl.col("U") > u
    return made.with_columns(
        quadrant=pl.when(~pl.col("advice_valid"))
        .then(None)
        .when(high_u & (pl.col("L_local") > high_l))
        .then(pl.lit("Q1"))
        .when(high_u)
        .then(pl.lit("Q2"))
        .when(pl.col("L_local") <= high_l)
        .then(pl.lit("Q3"))
        .otherwise(pl.lit("Q4"))
    )


def thresholds(frame: pl.DataFrame) -> dict[str, Any]:
    u, high_l = frame["U"].median(), frame.filter("advice_valid")["L_local"].median()
    return {
        "method": "median",
        "measure": "entropy",
        "U": {"low": u, "high": u},
        "L_local": {"low": high_l, "high": high_l},
        "counts": dict(frame.drop_nulls("quadrant").group_by("quadrant").len().iter_rows()),
    }


def metrics_of(rows: list[tuple[str, str, str, str, float]], seed: int, half: float = 0.05) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return fit(
        [{"model": m, "panel": p, "group": g, "metric": k, **interval(rng, v, half)} for m, p, g, k, v in rows],
        tables.METRICS,
    )


def theirs(own: pl.DataFrame, count: int) -> pl.DataFrame:
    """Failures of the expert (setup B) in games of the student's."""
    return own.head(count).with_columns(snapshot_id="expert/" + pl.col("snapshot_id"), source=pl.lit("expert"))


def frames(snapshots: int = 360, seed: int = 0) -> dict[str, Any]:
    """Every result that the paper reads but ``criteria``."""
    from teachable.evaluation.drift_metrics import drift_metrics
    from teachable.labels.metrics import label_metrics
    from teachable.labels.setups import setups
    from teachable.labels.shares import quadrant_shares
    from teachable.labels.skills import skills
    from teachable.training.gaps import Gap

    rng = np.random.default_rng(seed + 1)
    lab = labeled(snapshots, seed)
    games = lab["task_id"].n_unique()
    known = lab.drop_nulls(["quadrant", "ELP_net"])
    strength = {"Q1": 0.14, "Q2": 0.05, "Q3": 0.02, "Q4": 0.11}

    def iv(point: float, half: float = 0.07, n: int = 80) -> dict[str, Any]:
        return interval(rng, point, half, n, max(2, n // 2))

    micro = []
    for row in known.head(200).iter_rows(named=True):
        delta = float(0.6 * row["ELP_net"] + rng.normal(0, 0.1))
        micro.append(
            {
                **{k: row[k] for k in ("snapshot_id", "task_id", "quadrant", "ELP_net", "L_local")},
                "format": row["route"],
                "before": row["p_policy"],
                "before_se": 0.07,
                "after": row["p_policy"] + delta,
                "after_se": 0.07,
                "delta_snapshot": delta,
                "similar_before": 0.3,
                "similar_after": 0.32,
                "similar_tasks": 10,
                "delta_similar": 0.02,
                "delta_micro": delta,
                "loss_first": 1.2,
                "loss_last": 0.4,
                "probe_shift": 0.3,
            }
        )
    correlation = {
        "overall": {
            "spearman": iv(0.48, 0.1),
            "pearson": iv(0.51, 0.1),
            "spearman_L_local": iv(0.3, 0.12),
            "spearman_ELP_minus_L_local": iv(0.18, 0.1),
            "partial_spearman_ELP_given_L": iv(0.36, 0.12),
        },
        "per_quadrant": {
            q: {"spearman": iv(0.2 + strength[q] * 2, 0.18, 40), "pearson": iv(0.3, 0.2, 40)} for q in QUADRANTS
        },
        "median_net_gain": iv(0.12, 0.03),
        "median_net_gain_debiased": iv(0.09, 0.03),
        "mean_net_gain": iv(0.07, 0.03),
        "utility_Q1_minus_Q2": iv(0.09, 0.06),
        "mean_placebo_gain": iv(0.004, 0.01),
        "utility": {q: iv(strength[q], 0.05, 40) for q in QUADRANTS},
    }

    transfer, cells = [], {}
    for fmt, scale in (("demo", 1.0), ("contrast", 1.15), ("hint", 0.6), ("mean", 0.92)):
        for a in QUADRANTS:
            for b in QUADRANTS:
                value = scale * (strength[a] * (1.1 if a == b else 0.35) + rng.normal(0, 0.015))
                cells[fmt, a, b] = value
                transfer.append({"trained_on": a, "format": fmt, "evaluated_on": b, **iv(value, 0.06)})

    base = {"test": 0.52, "failure": 0.18, "retention": 0.93}
    metric_rows, contrast_rows, stuck, checks = [], [], [], []
    for panel, level in base.items():
        metric_rows += [("base", panel, g, "success", level) for g in ("all", *QUADRANTS)]
    stuck += [
        ("base", "test", "all", k, v)
        for k, v in (
            ("repeat_rate", 0.12),
            ("loop_rate", 0.2),
            ("wasted_rate", 0.25),
            ("escape_latency", 3.1),
            ("efficiency", 0.48),
        )
    ]
    runs = (*RUNS, "recovery")
    gains = {}
    for run in runs:
        lift = strength.get(run[:2], 0.08) * {"contrast": 1.15, "hint": 0.6}.get(run.rsplit("_", 1)[-1], 1.0)
        gains[run] = {
            "test": 0.5 * lift + rng.normal(0, 0.01),
            "failure": lift + rng.normal(0, 0.015),
            "retention": -0.25 * lift + rng.normal(0, 0.012),
        }
        for panel, level in base.items():
            gain = float(gains[run][panel])
            groups = ("all", *QUADRANTS)
            metric_rows += [(run, panel, g, "success", level + gain) for g in groups]
            for group in groups:
                contrast_rows.append(
                    {
                        "contrast": f"{run}-vs-base",
                        "hypothesis": "H5",
                        "model": run,
                        "reference": "base",
                        "panel": panel,
                        "group": group,
                        "metric": "success",
                        **iv(gain, 0.04),
                        "p_value": 0.02,
                        "p_holm": 0.0004 if gain > 0.1 else 0.2,
                        "mde": 0.05,
                        "prespecified": run == "Q1_demo" and group == "all" and panel == "failure",
                    }
                )
        for metric, start, slope in (
            ("repeat_rate", 0.12, -0.5),
            ("loop_rate", 0.2, -0.6),
            ("wasted_rate", 0.25, -0.6),
            ("escape_latency", 3.1, -8),
            ("efficiency", 0.48, 0.5),
        ):
            stuck.append((run, "test", "all", metric, start + slope * lift))
    for q in QUADRANTS:
        for fmt in ("contrast", "hint"):
            value = cells[fmt, q, q] - cells["demo", q, q]
            contrast_rows.append(
                {
                    "contrast": f"{q}_{fmt}-vs-{q}_demo",
                    "hypothesis": "H3",
                    "model": f"{q}_{fmt}",
                    "reference": f"{q}_demo",
                    "panel": "failure",
                    "group": q,
                    "metric": "success",
                    **iv(value, 0.05),
                    "p_value": 0.04,
                    "p_holm": 0.09,
                    "mde": 0.06,
                    "prespecified": False,
                }
            )
    for group, value in (("all", 0.02), *((q, 0.5 * v) for q, v in strength.items())):
        contrast_rows.append(
            {
                "contrast": "best_format-vs-demo",
                "hypothesis": "H3",
                "model": "best_format",
                "reference": "demo",
                "panel": "failure",
                "group": group,
                "metric": "success",
                **iv(value, 0.04),
                "p_value": 0.03,
                "p_holm": 0.03,
                "mde": 0.05,
                "prespecified": group == "all",
            }
        )
    for kind, value in (("", 0.09), ("_demo", 0.1), ("_contrast", 0.11), ("_hint", 0.05)):
        contrast_rows.append(
            {
                "contrast": f"transfer_diagonal_minus_off{kind}",
                "hypothesis": "H4",
                "model": "diagonal",
                "reference": "off_diagonal",
                "panel": "failure",
                "group": "all",
                "metric": "success",
                **iv(value, 0.04),
                "p_value": 0.001,
                "p_holm": 0.001,
                "mde": 0.05,
                "prespecified": not kind,
            }
        )

    for name, value in (
        *((f"{run}-vs-C_replay", gains[run]["failure"]) for run in runs),
        ("C_random-vs-C_replay", -0.02),
        ("C_random-vs-B1_uniform", -0.1),
        ("gain_Q1_minus_Q3_B1_uniform", 0.12),
        ("transfer_diagonal_permutation", 0.0),
    ):
        contrast_rows.append(
            {
                "contrast": name,
                "hypothesis": "H5",
                "model": name.split("-vs-")[0],
                "reference": name.split("-vs-")[-1],
                "panel": "failure",
                "group": "all",
                "metric": "success",
                **iv(value, 0.04),
                "p_value": 0.004,
                "p_holm": 0.02,
                "mde": 0.05,
                "prespecified": name == "B1_uniform-vs-C_replay",
            }
        )

    taught = [
        {
            "contrast": f"{kind}-vs-C_replay",
            "hypothesis": "H3",
            "model": kind,
            "reference": "C_replay",
            "panel": "failure",
            "group": group,
            "metric": "success",
            **iv(strength.get(group, 0.08) * scale, 0.05),
            "p_value": 0.02,
            "p_holm": 0.06,
            "mde": 0.06,
            "prespecified": False,
        }
        for kind, scale in (("demo", 1.0), ("contrast", 1.15), ("hint", 0.6))
        for group in ("all", *QUADRANTS)
    ]

    drift = []
    drift_runs = ("Q1_demo", "B2_all")
    checks.append(("base", "retention", "all", "success", base["retention"]))
    for run in drift_runs:
        for k, checkpoint in enumerate(("first", "middle", "last")):
            level = base["retention"] - 0.03 * (k + 1) * (run == "B2_all")
            checks.append((f"{run}@{checkpoint}", "retention", "all", "success", level))
            for row in known.head(60).iter_rows(named=True):
                moved = float(row["ELP_net"] + rng.normal(-0.04 * k, 0.08 * (k > 0)))
                route = row["route"] if rng.uniform() > 0.12 * k else FORMATS[int(rng.integers(3))]
                drift.append(
                    {
                        "model": run,
                        "checkpoint": checkpoint,
                        "snapshot_id": row["snapshot_id"],
                        "task_id": row["task_id"],
                        "quadrant": row["quadrant"],
                        "elp_bin": "high" if row["ELP_net"] > 0.15 else "low",
                        **{f"p_{c}": 0.2 for c in ("base", "placebo", *FORMATS)},
                        "ELP_net": moved,
                        "route": route,
                    }
                )

    mechanistic = []
    measures = {
        "success_from_state": 0.2,
        "first_action_correct": 0.3,
        "expert_prob_shift": 0.0,
        "probe_state_accuracy": 0.7,
        "probe_goal_accuracy": 0.6,
        "probe_state_chance": 0.4,
        "probe_goal_chance": 0.3,
        "probe_state_from_base": 0.55,
        "probe_goal_from_base": 0.45,
    }
    for model in ("base", *runs):
        lift = 0.0 if model == "base" else strength.get(model[:2], 0.08)
        for metric, level in measures.items():
            if model == "base" and (metric == "expert_prob_shift" or metric.endswith("from_base")):
                continue
            for by, groups in (
                ("all", ("all",)),
                ("quadrant", QUADRANTS),
                ("elp_bin", ("low", "high")),
                ("route", FORMATS),
            ):
                for group in groups:
                    extra = strength.get(group, 0.05) * 0.5
                    mechanistic.append(
                        {
                            "model": model,
                            "by": by,
                            "group": group,
                            "metric": metric,
                            **iv(level + lift + extra, 0.06),
                        }
                    )

    shifts = [
        {
            "model": run,
            "feature": feature,
            "tier": 1 + feature.startswith("state"),
            "n_base": 80,
            "n_model": 60,
            "mean_base": 1.0,
            "mean_model": 1.0 + size,
            "distance": size,
            "p_value": 0.5 * (1 - size),
            "q_value": 0.6 * (1 - size),
            "p_value_games": 0.01 if size > 0.3 else 0.4,
            "q_value_games": 0.03 if size > 0.3 else 0.5,
            "chance": 0.25,
            **iv(size, 0.1),
        }
        for run in drift_runs
        for feature, size in (
            ("uncertainty.entropy", 0.4),
            ("uncertainty.margin", 0.35),
            ("trail.step", 0.1),
            ("state.pc01", 0.2),
        )
    ]

    quality = {
        "oracle_features": 0.93,
        "predictor": 0.82,
        "tier2": 0.76,
        "tier1": 0.79,
        "UxL": 0.74,
        "L_local": 0.72,
        "entropy": 0.6,
        "random": 0.5,
    }
    predictor, ks = [], (10, 25, 50, 100)

    def score(
        method: str,
        target: str,
        metric: str,
        value: float,
        k: int | None = None,
        size: int = 280,
        half: float = 0.05,
    ) -> None:
        predictor.append(
            {
                **iv(value, half),
                "method": method,
                "target": target,
                "metric": metric,
                "k": k,
                "train_size": size,
            }
        )

    for method, level in quality.items():
        for i, k in enumerate(ks):
            score(method, "ELP_net", "ndcg", level + 0.03 * i, k, half=0.03)
            score(method, "ELP_net", "precision", level - 0.1 + 0.03 * i, k, half=0.04)
        score(method, "ELP_net", "spearman", level - 0.35)
    for k in ks:
        score("predictor - entropy", "ELP_net", "ndcg_difference", 0.22, k)
    for i, size in enumerate((40, 80, 140, 280)):
        for j, k in enumerate(ks):
            score("predictor", "ELP_net", "ndcg", quality["predictor"] - 0.12 + 0.04 * i + 0.03 * j, k, size)
    for method, lift in (("predictor", 0.0), ("tier1", -0.08), ("tier2", -0.12)):
        for target, level in (
            ("L_local", 0.55),
            ("L_upper", 0.5),
            ("U", 0.85),
            ("d_expert", 0.3),
            ("d_force", 0.25),
        ):
            score(method, target, "spearman", level + lift)
            score(method, target, "r2", level - 0.05 + lift)
            score(method, target, "mae", 0.1)
        score(method, "ELP_net", "r2", 0.3 + lift)
        score(method, "ELP_net", "mae", 0.11)
        score(method, "route", "macro_f1", 0.52 + lift)
        score(method, "route", "accuracy", 0.6 + lift)
        score(method, "quadrant", "accuracy", 0.68 + lift)
        score(method, "quadrant", "leverage_balanced_accuracy", 0.74 + lift)
        score(method, "ELP_net", "ece", 0.04)
    calibration = [
        {
            **iv(0.9 * (0.02 + 0.07 * b) + 0.01, 0.04),
            "method": "predictor",
            "target": target,
            "bin": b,
            "bin_low": 0.07 * b,
            "bin_high": 0.07 * (b + 1),
            "predicted": 0.02 + 0.07 * b,
        }
        for target in ("ELP_net", "L_local", "route")
        for b in range(8)
    ]
    groups = (
        "uncertainty",
        "trail",
        "commands",
        "state",
        "goal",
        "history",
        "similarity",
        "tokens",
        "length",
    )
    importance = [
        {
            **iv(0.12 * math.exp(-0.4 * i), 0.02),
            "method": "predictor",
            "target": "ELP_net",
            "metric": metric,
            "group": g,
            "tier": "tier1" if g in ("uncertainty", "trail", "commands", "tokens", "length") else "tier2",
            "features": 6,
        }
        for i, g in enumerate(groups)
        for metric in ("ndcg", "r2")
    ]
    confusion = [
        {
            "method": "predictor",
            "target": "route",
            "truth_label": a,
            "label": b,
            "count": 30 if a == b else 10,
            "share": 0.6 if a == b else 0.2,
        }
        for a in FORMATS
        for b in FORMATS
    ]
    cost = [
        {
            **iv(level, 0.03),
            "method": m,
            "student_passes": p,
            "rollouts": r,
            "teacher_calls": t,
            "labelled_once": once,
            "k": 50,
        }
        for m, level, p, r, t, once in (
            ("random", 0.5, 0.0, 0.0, 0.0, 0),
            ("entropy", 0.6, 1.0, 0.0, 0.0, 0),
            ("predictor", 0.82, 4.0, 0.0, 0.0, 280),
            ("L_local", 0.72, 0.0, 14.0, 0.0, 0),
            ("oracle", 1.0, 1.0, 26.0, 1.0, 0),
        )
    ]

    sel_rows = [("base", p, "all", "success", v) for p, v in base.items()]
    sel_contrasts = []
    sel_gain = {f"S_{m}_k{k}": gain + 0.002 * k for m, gain in SELECTED.items() for k in BUDGETS}
    for run, gain in sel_gain.items():
        panel_gain = {"test": gain / 2, "failure": gain, "retention": -0.1 * gain - 0.01}
        sel_rows += [(run, p, "all", "success", base[p] + panel_gain[p]) for p in base]
    for a, b in (
        *((r, "base") for r in sel_gain),
        *((r, "C_replay") for r in sel_gain),
        *(
            (f"S_{m}_k{k}", f"S_{rival}_k{k}")
            for k in BUDGETS
            for m in SELECTED
            for rival in dict.fromkeys(("random", "entropy", m.removesuffix("_diverse")))
            if m != rival
        ),
    ):
        for panel in base:
            value = sel_gain[a] - sel_gain.get(b, 0.0)
            value = {"test": value / 2, "failure": value, "retention": -0.1 * value}[panel]
            sel_contrasts.append(
                {
                    "contrast": f"{a}-vs-{b}",
                    "hypothesis": "H7",
                    "model": a,
                    "reference": b,
                    "panel": panel,
                    "group": "all",
                    "metric": "success",
                    **iv(value, 0.03),
                    "p_value": 0.01,
                    "p_holm": 0.03,
                    "mde": 0.04,
                    "prespecified": a == "S_predictor_k8" and b == "S_entropy_k8" and panel == "failure",
                }
            )

    selection = [
        {"run": f"S_{m}_k{k}", "draw": None, "method": m, "snapshot_id": s, "rank": i, "score": 0.0, "format": "demo"}
        for m in SELECTED
        for k in BUDGETS
        for i, s in enumerate(lab["snapshot_id"][:k], 1)
    ]

    advice = [
        {
            "snapshot_id": r["snapshot_id"],
            "suggested_action": r["suggested_action"],
            "rationale": SENTENCES[1],
            "diagnosis": "The student acts on an ingredient that it does not hold.",
            "why_bad": "The carrot is not in the recipe.",
            "error_type": "planning_error",
            "confidence": "high",
            "valid": r["advice_valid"],
            "teacher": "oracle",
            "expert_action": r["expert_action"],
            "unwinnable": r["unwinnable"],
        }
        for r in lab.iter_rows(named=True)
    ]
    shared = known["snapshot_id"][0]
    examples = [
        {
            "run": f"Q1_{f}",
            "draw": None,
            "example_id": f"x{i}",
            "snapshot_id": shared,
            "task_id": known["task_id"][0],
            "quadrant": "Q1",
            "format": f,
            "prompt": f"goal: prepare the meal\n{SENTENCES[0]}\ntip: {SENTENCES[1]}\n" * 3 + "> ",
            "completion": "take red apple from counter",
        }
        for i, f in enumerate(FORMATS)
    ]
    budget = [
        {
            "run": r,
            "quadrant": r[:2] if r[0] == "Q" else "all",
            "format": r.split("_")[1] if r[0] == "Q" else "demo",
            "examples": 80,
            "tokens": 21000,
            "completion_tokens": 900,
            "target_examples": 80,
            "difference": 0,
            "repeated": 3,
            "plain": 0,
            "epochs": 3,
            "replayed": 240,
            "steps": 60,
        }
        for r in RUNS
    ]
    training = {
        "runs": {
            r: {
                "examples": 80,
                "tokens": 21000,
                "steps": 30,
                "loss_first": 1.9,
                "loss_last": 0.6,
                "adapter": f"adapters/{r}",
                "sha256": "ab" * 32,
                "probe_shift": 0.21,
            }
            for r in RUNS
        }
    }
    losses = [
        {"run": run, "train_seed": seed, "step": step, "loss": float((0.2 + rng.gamma(2, 0.4)) / step**0.3)}
        for run in (*runs, "C_replay", "C_random", *sel_gain)
        for seed in (1, 2)
        for step in range(1, 41)
    ]
    return {
        "labeled": lab,
        "thresholds": thresholds(lab),
        "label_metrics": label_metrics(lab, seed=1, repetitions=120),
        "quadrant_shares": quadrant_shares(lab, ["take"], WORDS.skill_of, seed=1, repetitions=60),
        "setups": setups(lab, theirs(lab, snapshots // 6), seed=1, repetitions=60),
        "skills": skills(lab, {"take": Gap(0.1, "dither")}, WORDS.skill_of, seed=1, repetitions=60),
        "advice": fit(advice, tables.ADVICE),
        "restore_check": {"fraction": 1.0, "verified": len(lab), "total": len(lab), "games": games},
        "microtraining": fit(micro, tables.MICROTRAINING),
        "cpt_correlation": correlation,
        "examples": fit(examples, tables.EXAMPLES),
        "budget": fit(budget, tables.BUDGET),
        "training_summary": training,
        "losses": fit(losses, tables.LOSSES),
        "metrics": pl.concat([metrics_of(metric_rows, 2), metrics_of(stuck, 3, 0.02)]),
        "contrasts": fit(contrast_rows, tables.CONTRASTS),
        "effectiveness": fit(taught, tables.CONTRASTS),
        "transfer": fit(transfer, tables.TRANSFER),
        "mechanistic": fit(mechanistic, tables.MECHANISTIC),
        "checkpoints": metrics_of(checks, 4, 0.04),
        "drift": fit(drift, tables.DRIFT),
        "drift_metrics": drift_metrics(fit(drift, tables.DRIFT), lab, seed=1, repetitions=120),
        "feature_drift": fit(shifts, tables.FEATURE_DRIFT),
        "predictions": tables.empty(tables.PREDICTIONS),
        "predictor_metrics": fit(predictor, tables.PREDICTOR_METRICS),
        "calibration": fit(calibration, tables.CALIBRATION),
        "importance": fit(importance, tables.IMPORTANCE),
        "confusion": fit(confusion, tables.CONFUSION),
        "cost": fit(cost, tables.COST),
        "selection": fit(selection, tables.SELECTION),
        "selection_metrics": metrics_of(sel_rows, 10, 0.03),
        "selection_contrasts": fit(sel_contrasts, tables.CONTRASTS),
    }
