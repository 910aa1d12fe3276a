"""Table H7.2: what each selection method chose, by quadrant and by the skill that is taught."""

from __future__ import annotations

from collections import Counter

import polars as pl

from teachable.paper import style
from teachable.paper.inputs import Data, frame, ordered, words
from teachable.terms import QUADRANTS, selection_of

ABOUT = {
    "hypothesis": "H7",
    "title": "What was chosen",
    "caption": (
        "Snapshots chosen by each selection method, by quadrant, and the skills of the actions they teach; "
        "random selection as the mean of its draws."
    ),
    "inputs": ("selection", "labeled"),
    "words": True,
    "printed": {"wide": True},
}

HEADINGS = {
    "k": "k",
    "name": "Selection",
    "chosen": "Chosen",
    **{quadrant: quadrant for quadrant in QUADRANTS},
    "skills": "Skills taught",
    "largest": "Most frequent skill",
}


def make(data: Data) -> pl.DataFrame:
    """One row a method and k; several draws of the random choice are counted together and divided by their number."""
    skill_of = words(data).skill_of
    chosen = frame(data, "selection", "run", "draw", "snapshot_id")
    labels = frame(data, "labeled", "snapshot_id", "quadrant", "suggested_action")
    rows = chosen.join(labels, on="snapshot_id", how="left")
    found = {pair: run for run in rows["run"].unique() if (pair := selection_of(run))}
    made = []
    for k in sorted({k for _, k in found}):
        for method in ordered({m for m, size in found if size == k}, style.SELECTIONS):
            part = rows.filter(run=found[method, k])
            draws = part["draw"].n_unique()
            quadrants = Counter(part["quadrant"])
            skills = Counter(skill_of(action) for action in part["suggested_action"] if action)
            top = min(skills, key=lambda skill: (-skills[skill], skill)) if skills else ""
            made.append(
                {
                    "run": found[method, k],
                    "k": k,
                    "name": style.name(method),
                    "chosen": part.height / draws,
                    **{quadrant: quadrants[quadrant] / draws for quadrant in QUADRANTS},
                    "skills": len(skills),
                    "largest": f"{top} ({skills[top] / draws:.3g})" if top else "",
                }
            )
    return pl.DataFrame(made, infer_schema_length=None)
