"""Features of every labelled snapshot: counts and measures, and the student's hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from teachable import tables
from teachable.predictor.features import embedding_texts
from teachable.predictor.sets import feature_set, label_references, to_table
from teachable.stages.models import load_student
from teachable.worlds import get_words

if TYPE_CHECKING:
    from teachable.stages.params import Features
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Features) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED).filter(pl.col("quadrant").is_not_null())
    if labeled.is_empty():
        print("no snapshot is labelled, so there are no features", flush=True)
        tables.write(tables.empty(tables.FEATURES), outputs["features"], tables.FEATURES)
        return
    student = load_student(inputs["student"][0])
    embeddings = {part: student.embed(texts) for part, texts in embedding_texts(labeled).items()}
    features = feature_set(
        labeled, get_words(params.world_name), embeddings, label_references(labeled, embeddings["state"])
    )
    tables.write(to_table(features), outputs["features"], tables.FEATURES)
