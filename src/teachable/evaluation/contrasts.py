"""Which models are compared with which, fixed beforehand, and the paired contrasts: rows of ``CONTRASTS``.

One contrast per hypothesis is prespecified and stands alone; all others of the same hypothesis are
corrected together by Holm's method. All are paired: the same games, starts and seeds. Training also replays
what the student knows already, so a run's gain is stated against ``C_replay``, which learned from the replay
alone for as many steps, as well as against the base student.

========== ============================================================ =================================
hypothesis prespecified contrast                                        panel, group, metric
========== ============================================================ =================================
H3         ``best_format-vs-demo`` (chosen on the other half of games)  failure, all, success
H4         ``transfer_diagonal_minus_off``                              failure, all, success
H5         ``B1_uniform-vs-C_replay``                                   failure, all, success
H7         ``S_predictor-vs-S_entropy`` at the smallest k               failure, all, success
DPO        none: optional runs, e.g. ``Q4_dpo-vs-Q4_contrast``
========== ============================================================ =================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from teachable import seeds, stats, tables
from teachable.evaluation.outcomes import METRICS, Outcomes
from teachable.evaluation.resampling import Games, Resampling, finite_or_none
from teachable.terms import (
    BASE,
    EVERYTHING,
    FORMATS,
    QUADRANTS,
    RANDOM_ANSWER,
    RECOVERY,
    REPLAY_ONLY,
    SELECTION_PREFIX,
    UNIFORM,
    cell_name,
    cells,
    preference_runs,
    selection_name,
    selection_of,
)

DPO = "DPO"  # no hypothesis of the protocol: its contrasts are corrected among themselves, and no others by them
HYPOTHESES: Mapping[str, str] = {
    "H3": "the best form of supervision depends on the quadrant",
    "H4": "training on a quadrant transfers most to that quadrant",
    "H5": "reliability improves without forgetting",
    DPO: "a preference loss teaches from the same examples what supervised training does not",
    "H7": "selection by predicted teachability beats entropy and chance",
}
_KEY = ("failure", "all", "success")


@dataclass(frozen=True, slots=True)
class Comparison:
    """``model`` against ``reference``; ``metrics`` and ``panels`` restrict it, empty means all."""

    hypothesis: str
    model: str
    reference: str
    metrics: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()
    prespecified: tuple[str, str, str] | None = None  # the one (panel, group, metric) that is

    @property
    def name(self) -> str:
        return f"{self.model}-vs-{self.reference}"


def hypothesis_of(model: str) -> str:
    """The hypothesis a model's gain over the base speaks to."""
    if model.startswith(SELECTION_PREFIX):
        return "H7"
    if model in {run.name for run in preference_runs()}:
        return DPO
    return "H3" if model in {run.name for run in cells()} else "H5"


def comparisons(models: Iterable[str]) -> list[Comparison]:
    """All comparisons among the models there are, in a fixed order, each once.

    Every model with the base, and every trained one with ``C_replay``; cells with ``B1_uniform`` and with the
    demonstrations of their quadrant; ``B2_all``, recovery and ``C_random`` with ``B1_uniform``; selection runs
    with ``S_random`` and ``S_entropy`` of the same k, and the diverse variants with the plain ones; a run by direct
    preference optimisation with the contrast cell whose examples it shares.
    """
    there = set(models)
    success = ("success",)
    plan = [Comparison(hypothesis_of(model), model, BASE) for model in sorted(there - {BASE})]
    plan += [
        Comparison(hypothesis_of(model), model, REPLAY_ONLY, success, prespecified=_KEY if model == UNIFORM else None)
        for model in sorted(there - {BASE, REPLAY_ONLY})
    ]
    plan += [Comparison("H3", run.name, UNIFORM, success) for run in cells()]
    plan += [
        Comparison("H3", cell_name(quadrant, format_), cell_name(quadrant, "demo"), success)
        for quadrant in QUADRANTS
        for format_ in FORMATS
        if format_ != "demo"
    ]
    plan += [Comparison("H5", model, UNIFORM, success) for model in (EVERYTHING, RECOVERY, RANDOM_ANSWER)]
    chosen = sorted((k, method) for method, k in filter(None, map(selection_of, there)))
    for k, method in chosen:
        rivals = ["random", "entropy", *([method.removesuffix("_diverse")] if method.endswith("_diverse") else ())]
        for rival in rivals:
            model, reference = selection_name(method, k), selection_name(rival, k)
            first = (method, rival) == ("predictor", "entropy") and k == chosen[0][0]
            plan.append(Comparison("H7", model, reference, success, prespecified=_KEY if first else None))
    plan += [Comparison(DPO, run.name, cell_name(run.quadrant, run.format), success) for run in preference_runs()]
    pairs: dict[frozenset[str], Comparison] = {}
    for one in plan:
        if {one.model, one.reference} <= there and one.model != one.reference:
            known = pairs.get(frozenset((one.model, one.reference)))
            if known is None or (one.prespecified and not known.prespecified):
                pairs[frozenset((one.model, one.reference))] = one
    return list(pairs.values())


def contrast_rows(
    outcomes: Outcomes, plan: Sequence[Comparison], settings: Resampling, *, seed: int
) -> list[dict[str, Any]]:
    """Rows of ``CONTRASTS`` (``p_holm`` still empty) of one panel: each comparison, group and metric.

    A group in which two models share no slot has no row for them.
    """
    rows: list[dict[str, Any]] = []
    games = np.asarray(outcomes.games, dtype=object)
    asked = [
        (one, metric)
        for one in plan
        if {one.model, one.reference} <= set(outcomes.models) and (not one.panels or outcomes.panel in one.panels)
        for metric in (one.metrics or METRICS)
    ]
    if not asked:
        return rows
    count = dict(zip(outcomes.models, outcomes.seeds, strict=True))
    for group, mask in outcomes.groups().items():
        drawn = Games.draw(games[mask].tolist(), seeds.integer(seed, "contrasts", outcomes.panel, group), settings)
        a, b = (
            tuple(
                np.stack([values[m][:, mask, outcomes.column(getattr(one, side))] for one, m in asked], axis=2)
                for values in (outcomes.top, outcomes.bottom)
            )
            for side in ("model", "reference")
        )
        models = [(one.model, one.reference) for one, _ in asked]
        found = drawn.differences((a[0], a[1]), (b[0], b[1]), models, count)
        for (one, metric), (interval, p_value, mde) in zip(asked, found, strict=True):
            if interval.n:
                rows.append(
                    contrast_row(
                        one.name,
                        one.hypothesis,
                        (one.model, one.reference),
                        (outcomes.panel, group, metric),
                        interval,
                        p_value,
                        mde,
                        prespecified=one.prespecified == (outcomes.panel, group, metric),
                    )
                )
    return rows


def contrast_row(
    name: str,
    hypothesis: str,
    models: tuple[str, str],
    where: tuple[str, str, str],
    interval: stats.Interval,
    p_value: float,
    mde: float,
    *,
    prespecified: bool,
) -> dict[str, Any]:
    """One row of ``CONTRASTS``; ``where`` is panel, group, metric."""
    return {
        "contrast": name,
        "hypothesis": hypothesis,
        "model": models[0],
        "reference": models[1],
        "panel": where[0],
        "group": where[1],
        "metric": where[2],
        **interval.row(),
        "p_value": finite_or_none(p_value),
        "p_holm": None,
        "mde": finite_or_none(mde),
        "prespecified": prespecified,
    }


def contrasts_frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """``rows`` as a table with ``p_holm``: Holm's correction over the contrasts of a hypothesis that are not
    prespecified; a prespecified one keeps its p-value."""
    frame = pl.DataFrame(rows, schema=dict(tables.CONTRASTS))
    adjusted = np.array([np.nan if p is None else p for p in frame["p_value"]], dtype=np.float64)
    rest = ~frame["prespecified"].to_numpy().astype(bool)
    hypotheses = frame["hypothesis"].to_numpy()
    for hypothesis in sorted(set(hypotheses.tolist())):
        family = rest & (hypotheses == hypothesis)
        adjusted[family] = stats.holm(adjusted[family])
    return frame.with_columns(pl.Series("p_holm", adjusted, dtype=pl.Float64).fill_nan(None))
