"""New failures by teachability, without a rollout: a kept predictor, and the features of snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from teachable.errors import MissingInput
from teachable.labels.measures import uncertainty
from teachable.predictor.errors import PredictorError
from teachable.predictor.features import embedding_texts
from teachable.predictor.kept import Kept, from_bytes
from teachable.predictor.sets import FeatureSet, feature_set
from teachable.tables import MEASURES

if TYPE_CHECKING:
    from teachable.student.model import Student
    from teachable.worlds.words import Words


class Ranker:
    """A kept predictor, as the workflow writes it to ``results/phase4/predictor.safetensors``.

    ``Ranker.load(path).rank(snapshots)`` says of every new failure how much teaching it would bring, which route, which
    quadrant, how surely, and whether it is unlike all that the predictor learned from. Needs neither torch nor
    scikit-learn unless a student is given.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept = kept

    @classmethod
    def load(cls, path: Path | str) -> Ranker:
        """The predictor in a file. Raises MissingInput where there is none, and PredictorError as
        :func:`teachable.predictor.kept.from_bytes`."""
        path = Path(path)
        if not path.is_file():
            raise MissingInput(f"there is no predictor at {path}: `snakemake -c 2 {path}` makes the one of a study.")
        return cls(from_bytes(path.read_bytes(), str(path)))

    def rank(
        self,
        snapshots: pl.DataFrame,
        *,
        student: Student | None = None,
        words: Words | None = None,
        level: float = 0.9,
    ) -> pl.DataFrame:
        """RANKING of ``snapshots`` (columns of SNAPSHOTS; MEASURES are added), the most teachable first.

        Args:
            student: who failed; it reads the three texts of every snapshot. Without one, the predictor of the row's
                own features is asked, which needs no model at all.
            words: the vocabulary that the predictor's features are in; of a world that is not registered.
            level: of the intervals, as a probability.

        Raises PredictorError: another student than the one that the hidden states were learned from, a damaged
        distribution, and what :meth:`teachable.predictor.kept.Kept.rank` raises.
        """
        return self.kept.rank(self.features(snapshots, student=student, words=words), level=level)

    def features(
        self, snapshots: pl.DataFrame, *, student: Student | None = None, words: Words | None = None
    ) -> FeatureSet:
        """Features of ``snapshots`` as the predictor learned them; see :meth:`rank`."""
        if words is None:
            from teachable.worlds.registry import get_words

            words = get_words(self.kept.about.world)
        if student is not None and student.fingerprint != self.kept.about.student:
            raise PredictorError(
                f"this predictor knows the hidden states of the student {self.kept.about.student[:12]}, not of "
                f"{student.fingerprint[:12]}: leave the student out to rank by the snapshots' own features, or learn a "
                "predictor of this student's failures."
            )
        measured = with_measures(snapshots, self.kept.about.topk)
        vectors = {} if student is None else {k: student.embed(texts) for k, texts in embedding_texts(measured).items()}
        return feature_set(measured, words, vectors)


def with_measures(snapshots: pl.DataFrame, topk: int) -> pl.DataFrame:
    """``snapshots`` with the uncertainty measures (MEASURES) that they lack, of their distributions."""
    if set(MEASURES) <= set(snapshots.columns):
        return snapshots
    needed = ("snapshot_id", "logp", "commands", "student_action")
    missing = [name for name in needed if name not in snapshots.columns]
    if missing:
        raise PredictorError(f"the snapshots lack the columns {missing}: give a table as SNAPSHOTS describes it.")
    rows = []
    for snapshot, logp, commands, action in snapshots.select(needed).iter_rows():
        try:
            rows.append(uncertainty(logp, commands, action, topk=topk))
        except ValueError as error:
            raise PredictorError(f"snapshot {snapshot}: {error}. Mine the snapshots again, or leave it out.") from None
    measures = pl.DataFrame(rows, schema=dict.fromkeys(MEASURES, pl.Float64))
    return pl.concat([snapshots.drop(MEASURES, strict=False), measures], how="horizontal")
