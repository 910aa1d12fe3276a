"""From the episodes of all models to the tables of phase 3 (and of the selection runs of phase 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from teachable import tables
from teachable.evaluation.contrasts import comparisons, contrast_rows, contrasts_frame
from teachable.evaluation.effectiveness import effectiveness
from teachable.evaluation.errors import EvaluationError
from teachable.evaluation.metrics import metric_rows, metrics_frame
from teachable.evaluation.outcomes import PANELS, Outcomes, line_up
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.transfer import best_format, has_matrix, quadrant_gains, transfer
from teachable.terms import BASE


@dataclass(frozen=True, slots=True)
class Summary:
    """The tables ``METRICS``, ``CONTRASTS`` and ``TRANSFER``, and ``CONTRASTS`` of the forms of supervision with
    ``C_replay``; the last two are empty without the cells of the matrix."""

    metrics: pl.DataFrame
    contrasts: pl.DataFrame
    transfer: pl.DataFrame
    effectiveness: pl.DataFrame


def quadrants_of(labeled: pl.DataFrame) -> dict[str, str]:
    """The quadrant of every labelled snapshot."""
    rows = labeled.select("snapshot_id", "quadrant").drop_nulls()
    return dict(rows.iter_rows())


def summarise(episodes: pl.DataFrame, labeled: pl.DataFrame, settings: Resampling, *, seed: int) -> Summary:
    """Metrics, paired contrasts and transfer of all models in ``episodes`` (``EPISODES`` rows of every
    model and training seed).

    A run without episodes (it could not be trained) has no row; a contrast that was asked for beforehand and
    needs it stands as a row of nulls with the reason. A panel without episodes is left out.

    Raises :class:`EvaluationError` when the base is missing or models did not play the same starts with the same seeds.
    """
    panels = _panels(episodes, labeled)
    if BASE not in set(episodes["model"]):
        raise EvaluationError("The base student's episodes are missing: every model is compared with it.")
    plan = comparisons(set(episodes.filter(pl.col("behaviour") == "student")["model"]))
    rows: list[dict[str, Any]] = []
    compared: list[dict[str, Any]] = []
    taught: list[dict[str, Any]] = []
    transferred = tables.empty(tables.TRANSFER)
    for outcomes in panels:
        rows += metric_rows(outcomes, settings, seed=seed)
        compared += contrast_rows(outcomes, plan, settings, seed=seed)
        if outcomes.panel == "failure" and has_matrix(outcomes):
            transferred, diagonal = transfer(outcomes, settings, seed=seed)
            compared += diagonal + best_format(outcomes, settings, seed=seed)
            compared += quadrant_gains(outcomes, settings, seed=seed)
            taught += effectiveness(outcomes, settings, seed=seed)
    return Summary(metrics_frame(rows), contrasts_frame(compared), transferred, contrasts_frame(taught))


def metrics_of(episodes: pl.DataFrame, labeled: pl.DataFrame, settings: Resampling, *, seed: int) -> pl.DataFrame:
    """``METRICS`` rows alone, e.g. of the checkpoints of a run (models named ``<run>@<checkpoint>``).

    None where nothing was played (an empty retention panel).
    """
    rows: list[dict[str, Any]] = []
    if episodes.is_empty():
        return metrics_frame(rows)
    for outcomes in _panels(episodes, labeled):
        rows += metric_rows(outcomes, settings, seed=seed)
    return metrics_frame(rows)


def end_to_end(episodes: pl.DataFrame, settings: Resampling, *, seed: int) -> pl.DataFrame:
    """``METRICS`` rows of success on test games, played from their start to their end, over all and by family.

    They are the rows that :func:`summarise` gives of the same episodes: same draws, same intervals. None where no test
    game was played. Raises :class:`EvaluationError` when models did not play the same games with the same seeds.
    """
    outcomes = line_up(episodes, "test", {})
    rows = [] if outcomes is None else metric_rows(outcomes, settings, seed=seed)
    return metrics_frame([row for row in rows if row["metric"] == "success"])


def _panels(episodes: pl.DataFrame, labeled: pl.DataFrame) -> list[Outcomes]:
    quadrants = quadrants_of(labeled)
    panels = [line_up(episodes, panel, quadrants) for panel in PANELS]
    found = [panel for panel in panels if panel is not None]
    if not found:
        raise EvaluationError(f"There are no episodes of the panels {', '.join(PANELS)}.")
    return found
