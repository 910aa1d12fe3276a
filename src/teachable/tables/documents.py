"""The JSON results: what each holds, checked at every write and read, as the columns of a table are.

A document is a pydantic model, or a list of them, under a name in capitals; a stage names it where it states the
output. Units: shares and probabilities in [0, 1], losses in nats a completion token, ``n`` and ``clusters`` count rows
and games.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from teachable.errors import TableError
from teachable.tables.files import read_json, write_json
from teachable.terms import Quadrant

Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Loss = Annotated[float, Field(ge=0)]
LACKING: Any = None  # a field that may be left out; null it may not be, unless its type says so


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON result: its name, and the type of its value."""

    name: str
    holds: Any

    def check(self, value: Any, path: Path | str) -> None:
        """Raise :class:`TableError`, naming file, field and remedy, where ``value`` is not such a document."""
        try:
            TypeAdapter(self.holds).validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "its value"
            raise TableError(
                f"{path}: {where}: {first['msg'].rstrip('.')}. It was made by another version, or is another file: "
                "delete it and run the workflow again."
            ) from error


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Interval(_Closed):
    """An estimate with its interval (:class:`teachable.stats.Interval`), of nulls where it is not defined."""

    point: float | None
    low: float | None
    high: float | None
    method: str
    repetitions: Count
    seed: int | None
    clusters: Count | None
    n: Count
    p_value: Share | None = None


class Splits(_Closed):
    """Games by split, and how many are in two."""

    games: dict[str, Count]
    distinct: Count
    overlaps: Count


class RestoreCheck(_Closed):
    """How many snapshots were restored exactly, of how many, and what was compared."""

    total: Count
    verified: Count
    fraction: Share
    replays: Count
    compared: list[str]
    kinds: dict[str, Count]


class Cut(_Closed):
    """Where an axis of the quadrants is cut, and its spread over the labelled set."""

    low: float | None
    high: float | None
    sd: float | None
    q25: float | None
    q50: float | None
    q75: float | None
    within_two_errors_of_cut: Share | None = None


class Means(_Closed):
    """Means of a quadrant."""

    U: float
    L_local: float


class Thresholds(_Closed):
    """The cuts of the quadrants and what fell where."""

    method: str
    measure: str
    rule: str
    noisy: bool
    U: Cut
    L_local: Cut
    counts: dict[Quadrant, Count]
    means: dict[Quadrant, Means | None]
    labelled: Count
    between_cuts: Count
    advice_invalid: Count
    without_estimates: Count
    no_expert: Count
    failure_snapshots: Count
    interval_snapshots: Count


class CorrelationCounts(_Closed):
    """What micro-training rests on."""

    snapshots: Count
    games: Count
    per_quadrant: dict[Quadrant, Count]


class CptCorrelation(_Closed):
    """The patch test against micro-training (:func:`teachable.training.correlation.cpt_correlation`)."""

    overall: dict[str, Interval]
    per_quadrant: dict[Quadrant, dict[str, Interval]]
    utility: dict[Quadrant, Interval]
    utility_Q1_minus_Q2: Interval
    median_net_gain: Interval
    median_net_gain_debiased: Interval
    mean_net_gain: Interval
    mean_placebo_gain: Interval
    mean_delta_micro: Interval
    counts: CorrelationCounts
    setting: dict[str, Any]


class Preferences(_Closed):
    """What only a run by direct preference optimisation has."""

    beta: float = LACKING
    pairs: Count = LACKING
    dropped: Count = LACKING
    margin_first: float = LACKING
    margin_last: float = LACKING
    accuracy_first: Share = LACKING
    accuracy_last: Share = LACKING


class Trained(Preferences):
    """What one training took and did; ``absent`` says why there was none."""

    quadrant: str | None = LACKING
    format: str | None = LACKING
    absent: str = LACKING
    loss: str = LACKING
    epochs: Annotated[float, Field(gt=0)] = LACKING
    examples: Count = LACKING
    replayed: Count = LACKING
    replay_pool: Count = LACKING
    steps: Count = LACKING
    tokens: Count = LACKING
    completion_tokens: Count = LACKING
    micro_batch: Count = LACKING
    loss_first: Loss = LACKING
    loss_last: Loss = LACKING
    probe_shift: Share = LACKING
    sha256: str = LACKING


class Record(Trained):
    """One training of a run."""

    run: str = LACKING
    train_seed: Count = LACKING
    losses: list[Loss] = LACKING


class OfSeed(Trained):
    """One training of a run, in its run's entry."""

    adapter: str = LACKING


class OfRun(Trained):
    """All trainings of a run: what they share, their means, and each by its training seed."""

    adapter: str = LACKING
    seeds: dict[str, OfSeed] = LACKING


class TrainingSummary(_Closed):
    """Every run by its name."""

    runs: dict[str, OfRun]


class Criterion(_Closed):
    """One criterion (:func:`teachable.paper.criteria.criteria`)."""

    id: str
    hypothesis: str
    name: str
    value: float | None
    low: float | None
    high: float | None
    mde: float | None
    n: Count | None
    games: Count | None
    threshold: str
    passed: bool | None
    advice: str


class Config(_Open):
    """The resolved configuration without what says how to work; its sections are :mod:`teachable.config.model`'s."""

    preset: str
    seed: int
    world: dict[str, Any]
    student: dict[str, Any]
    builtin: dict[str, Any]
    teacher: dict[str, Any]
    training: dict[str, Any]


class Expert(_Open):
    """The checkpoint that plays as the expert, as it was linked."""

    kind: Literal["adapter", "model"]


SPLITS = Document("SPLITS", Splits)
RESTORE_CHECK = Document("RESTORE_CHECK", RestoreCheck)
THRESHOLDS = Document("THRESHOLDS", Thresholds)
CPT_CORRELATION = Document("CPT_CORRELATION", CptCorrelation)
TRAINING_RECORD = Document("TRAINING_RECORD", Record)
TRAINING_SUMMARY = Document("TRAINING_SUMMARY", TrainingSummary)
CRITERIA = Document("CRITERIA", list[Criterion])
RECORDED_CONFIG = Document("RECORDED_CONFIG", Config)
LINKED_EXPERT = Document("LINKED_EXPERT", Expert)


def read_document(path: Path | str, document: Document) -> Any:
    """The JSON at ``path``, checked as ``document``. Raises MissingInput where there is none, and TableError."""
    value = read_json(path)
    document.check(value, path)
    return value


def write_document(value: Any, path: Path | str, document: Document) -> None:
    """Write ``value`` to ``path`` as JSON, atomically, after the same check."""
    document.check(value, path)
    write_json(value, path)
