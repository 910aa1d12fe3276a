"""Features of every labelled snapshot: counts and measures, and the student's hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.pipeline.models import load_student
from teachable.predictor.features import embedding_texts
from teachable.predictor.sets import feature_set, label_references, to_table
from teachable.worlds import get_words

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = {
    "about": "features of every snapshot",
    "inputs": "labeled student",
    "outputs": {"features": ("phase4/features.parquet", "FEATURES")},
    "params": "world_name=world.name",
    "world": "words",
    "student": True,
}


def run(labeled: pl.DataFrame, student: Path, world_name: str) -> pl.DataFrame:
    labeled = labeled.filter(pl.col("quadrant").is_not_null())
    if labeled.is_empty():
        print("no snapshot is labelled, so there are no features", flush=True)
        return tables.empty(tables.FEATURES)
    loaded = load_student(student)
    embeddings = {part: loaded.embed(texts) for part, texts in embedding_texts(labeled).items()}
    references = label_references(labeled, embeddings["state"])
    return to_table(feature_set(labeled, get_words(world_name), embeddings, references))
