"""The JSON results: what each holds, checked at every write and read, as the columns of a table are.

A document is a typed dictionary under a name in capitals; a stage names it where it states the output. Units: shares
and probabilities in [0, 1], losses in nats a completion token, ``n`` and ``clusters`` count rows and games.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from teachable.errors import TableError
from teachable.tables.files import read_json, write_json

Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Loss = Annotated[float, Field(ge=0)]
Quadrant = Literal["Q1", "Q2", "Q3", "Q4"]
_CLOSED = ConfigDict(extra="forbid", strict=True)
_OPEN = ConfigDict(extra="allow", strict=True)


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


class Interval(TypedDict):
    """An estimate with its interval (:class:`teachable.stats.Interval`), of nulls where it is not defined."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    point: float | None
    low: float | None
    high: float | None
    method: str
    repetitions: Count
    seed: int | None
    clusters: Count | None
    n: Count
    p_value: NotRequired[Share | None]


class Splits(TypedDict):
    """Games by split, and how many are in two."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    games: dict[str, Count]
    distinct: Count
    overlaps: Count


class RestoreCheck(TypedDict):
    """How many snapshots were restored exactly, of how many, and what was compared."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    total: Count
    verified: Count
    fraction: Share
    replays: Count
    compared: list[str]
    kinds: dict[str, Count]


class Cut(TypedDict):
    """Where an axis of the quadrants is cut, and its spread over the labelled set."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    low: float | None
    high: float | None
    sd: float | None
    q25: float | None
    q50: float | None
    q75: float | None
    within_two_errors_of_cut: NotRequired[Share | None]


class Means(TypedDict):
    """Means of a quadrant."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    U: float
    L_local: float


class Thresholds(TypedDict):
    """The cuts of the quadrants and what fell where."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
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


class CorrelationCounts(TypedDict):
    """What micro-training rests on."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    snapshots: Count
    games: Count
    per_quadrant: dict[Quadrant, Count]


class CptCorrelation(TypedDict):
    """The patch test against micro-training (:func:`teachable.training.correlation.cpt_correlation`)."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
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


class Preferences(TypedDict, total=False):
    """What only a run by direct preference optimisation has."""

    beta: float
    pairs: Count
    dropped: Count
    margin_first: float
    margin_last: float
    accuracy_first: Share
    accuracy_last: Share


class Trained(Preferences, total=False):
    """What one training took and did; ``absent`` says why there was none."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    quadrant: str | None
    format: str | None
    absent: str
    loss: str
    epochs: Annotated[float, Field(gt=0)]
    examples: Count
    replayed: Count
    replay_pool: Count
    steps: Count
    tokens: Count
    completion_tokens: Count
    micro_batch: Count
    loss_first: Loss
    loss_last: Loss
    probe_shift: Share
    sha256: str


class Record(Trained, total=False):
    """One training of a run."""

    run: str
    train_seed: Count
    losses: list[Loss]


class OfSeed(Trained, total=False):
    """One training of a run, in its run's entry."""

    adapter: str


class OfRun(Trained, total=False):
    """All trainings of a run: what they share, their means, and each by its training seed."""

    adapter: str
    seeds: dict[str, OfSeed]


class TrainingSummary(TypedDict):
    """Every run by its name."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
    runs: dict[str, OfRun]


class Criterion(TypedDict):
    """One criterion (:func:`teachable.paper.criteria.criteria`)."""

    __pydantic_config__ = _CLOSED  # type: ignore[misc]
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


class Config(TypedDict):
    """The resolved configuration without what says how to work; its sections are :mod:`teachable.config.model`'s."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    preset: str
    seed: int
    world: dict[str, Any]
    student: dict[str, Any]
    builtin: dict[str, Any]
    teacher: dict[str, Any]
    training: dict[str, Any]


SPLITS = Document("SPLITS", Splits)
RESTORE_CHECK = Document("RESTORE_CHECK", RestoreCheck)
THRESHOLDS = Document("THRESHOLDS", Thresholds)
CPT_CORRELATION = Document("CPT_CORRELATION", CptCorrelation)
TRAINING_RECORD = Document("TRAINING_RECORD", Record)
TRAINING_SUMMARY = Document("TRAINING_SUMMARY", TrainingSummary)
CRITERIA = Document("CRITERIA", list[Criterion])
RECORDED_CONFIG = Document("RECORDED_CONFIG", Config)


def read_document(path: Path | str, document: Document) -> Any:
    """The JSON at ``path``, checked as ``document``. Raises MissingInput where there is none, and TableError."""
    value = read_json(path)
    document.check(value, path)
    return value


def write_document(value: Any, path: Path | str, document: Document) -> None:
    """Write ``value`` to ``path`` as JSON, atomically, after the same check."""
    document.check(value, path)
    write_json(value, path)
