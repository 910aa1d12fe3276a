"""What each form of supervision adds to replay alone, in every quadrant and over all of them: rows of ``CONTRASTS``.

``D[f, q]`` is the mean paired change in success, run ``q_f`` minus ``C_replay``, from held-out snapshots of the
quadrant that the run was trained on, mean over training seeds. Group ``all`` is the mean of the four, so that each
quadrant counts as much as any other. ``C_replay`` learned from the same replay for as many steps, without an example.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from teachable import seeds
from teachable.evaluation.contrasts import contrast_row
from teachable.evaluation.entries import Entries, Entry
from teachable.evaluation.outcomes import Outcomes
from teachable.evaluation.resampling import Games, Resampling
from teachable.evaluation.transfer import lacking, quadrant_masks, undefined_contrast
from teachable.terms import FORMATS, QUADRANTS, REPLAY_ONLY, cell_name


def effectiveness(outcomes: Outcomes, settings: Resampling, *, seed: int) -> list[dict[str, Any]]:
    """``CONTRASTS`` rows ``<format>-vs-C_replay`` (``p_holm`` still empty), of groups ``all`` and each quadrant.

    From the failure panel. Where a run or the control was not trained, or a quadrant has no held-out snapshot, a row is
    null and its ``method`` says why; so is then that of ``all``.
    """
    masks = quadrant_masks(outcomes)
    place: dict[tuple[str, str], int] = {}
    reasons: dict[tuple[str, str], str] = {}
    entries: list[Entry] = []
    for format_ in FORMATS:
        for quadrant in QUADRANTS:
            run = cell_name(quadrant, format_)
            reason = lacking(outcomes, [run, REPLAY_ONLY], [quadrant])
            if reason:
                reasons[format_, quadrant] = reason
                continue
            place[format_, quadrant] = len(entries)
            entries.append(Entry.change(run, REPLAY_ONLY, masks[quadrant]))
    games = Games.draw(outcomes.games, seeds.integer(seed, "effectiveness"), settings)
    known = Entries.of(outcomes, games, entries) if entries else None
    rows = []
    for format_ in FORMATS:
        for group, quadrants in (("all", QUADRANTS), *((q, (q,)) for q in QUADRANTS)):
            label, models = f"{format_}-vs-{REPLAY_ONLY}", (format_, REPLAY_ONLY)
            gone = [reasons[format_, q] for q in quadrants if (format_, q) in reasons]
            if known is None or gone:
                rows.append(undefined_contrast(label, "H3", models, group, gone[0], False))
                continue
            weights = np.zeros((len(entries), 1))
            weights[[place[format_, q] for q in quadrants]] = 1 / len(quadrants)
            ((interval, p_value, mde),) = known.combine(weights)
            where = ("failure", group, "success")
            rows.append(contrast_row(label, "H3", models, where, interval, p_value, mde, prespecified=False))
    return rows
