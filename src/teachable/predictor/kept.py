"""A predictor in one file, and what it says of new failures: read with numpy alone, nothing unpickled.

The file is safetensors: arrays by name, and as its one piece of metadata a JSON text with everything else, among it
the SHA-256 of both. A file keeps a predictor for each set of tiers, so that snapshots without hidden states can be
ranked, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from threadpoolctl import threadpool_limits

from teachable.predictor.errors import PredictorError
from teachable.predictor.features import FEATURES_VERSION
from teachable.predictor.fitted import Fitted, Predictor
from teachable.predictor.plain import Plain, from_arrays
from teachable.predictor.projection import Components, Projection
from teachable.predictor.sets import FeatureSet, References
from teachable.predictor.trust import OUTSIDE, Conformal, Known, Trust, chances, log_chances
from teachable.tables import RANKING, conform, empty
from teachable.terms import FORMATS, QUADRANTS

FORMAT = 1
"""Raised when files of another layout are written."""
BOUNDS = (-1.0, 1.0)  # of an ELP_net
_KEY = "teachable.predictor"
_AGAIN = "copy it anew, or make it again: `snakemake -c 1 results/phase4/predictor.safetensors`"
Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class About:
    """What a kept predictor learned from and with."""

    features_version: int
    snapshots: int
    games: int
    seed: int
    data: str  # keeping.data_digest
    sklearn: str  # versions that fitted it; reading needs neither
    numpy: str
    world: str  # whose vocabulary its features are in
    student: str  # fingerprint of the student whose snapshots and hidden states it learned from
    topk: int  # of the measure topk_spread
    uncertainty: str  # the measure that U is


@dataclass(frozen=True, slots=True)
class Variant:
    """The predictor of one set of tiers, and what calibrates it."""

    predictor: Predictor
    trust: Trust


@dataclass(frozen=True, slots=True)
class Kept:
    """Predictors by their tiers: ``"tier1"``, ``"tier1 tier2"``. Made by :func:`teachable.predictor.keeping.keep`, or
    read by :func:`from_bytes`."""

    about: About
    variants: Mapping[str, Variant]

    def variant(self, features: FeatureSet) -> tuple[str, Variant]:
        """The predictor of most tiers that ``features`` have, and the names of its tiers. Raises PredictorError."""
        able = [
            tiers
            for tiers in sorted(self.variants, key=len, reverse=True)
            if "tier2" not in tiers.split() or features.embeddings
        ]
        if not able:
            raise PredictorError(
                "this predictor needs the student's hidden states: give the student (--student), or features with them."
            )
        return able[0], self.variants[able[0]]

    def rank(self, features: FeatureSet, *, level: float = 0.9) -> pl.DataFrame:
        """The snapshots of ``features`` from most to least teachable (RANKING), with intervals of ``level``.

        Raises :class:`PredictorError` for features that are not those it learned from, by name or by number of
        hidden units, for a value that is not finite, and for a level that is none.
        """
        if not 0 < level < 1:
            raise PredictorError(f"a level lies between 0 and 1, but is {level}: 0.9 is usual.")
        if not len(features):
            return empty(RANKING)
        tiers, variant = self.variant(features)
        predictor, trust = variant.predictor, variant.trust
        with threadpool_limits(limits=1):
            x = predictor.design(_matched(features, predictor))
            _finite(x, predictor, features)
            said = predictor.predict_design(x)
            score = said["ELP_net"][0]
            assert score is not None
            low, high = trust.teachability.interval(score, level, BOUNDS)
            distance = trust.known.distances(x)
            outside = trust.known.chance(distance)
            furthest = np.abs(trust.known.deviations(x)).argmax(axis=1)
            columns: dict[str, Any] = {
                "snapshot_id": features.snapshot_id.tolist(),
                "task_id": features.task_id.tolist(),
                "ELP_net": score,
                "ELP_net_low": low,
                "ELP_net_high": high,
                "level": np.full(len(x), level),
                "outside": outside <= OUTSIDE,
                "outside_p": outside,
                "distance": distance,
                "unusual": [predictor.names[i] for i in furthest],
                "tiers": [tiers] * len(x),
            }
            for target in ("U", "L_local", "L_upper"):
                columns[target] = said[target][0] if target in said else [None] * len(x)
            for target, names in (("route", FORMATS), ("quadrant", QUADRANTS)):
                columns[target] = said[target][1] if target in said else [None] * len(x)
                table = _chances(target, variant, x, said)
                for i, name in enumerate(names):
                    columns[f"p_{target}_{name}"] = [None] * len(x) if table is None else np.minimum(table[:, i], 1.0)
        schema = {name: kind for name, kind in RANKING.items() if name != "rank"}
        frame = pl.DataFrame({name: columns[name] for name in schema}, schema=schema)
        frame = frame.sort(["ELP_net", "snapshot_id"], descending=[True, False]).with_row_index("rank", offset=1)
        return conform(frame.select(list(RANKING)), RANKING, "ranking")


def _chances(target: str, variant: Variant, x: NDArray[np.float64], said: Mapping[str, Any]) -> Any:
    """Calibrated chances ``[N, K]`` of a route or quadrant; None where none were learned."""
    predictor, trust = variant.predictor, variant.trust
    if target == "quadrant":
        if trust.quadrant is None:
            return None
        above = [said[name][0] - cut for name, cut in sorted(predictor.cuts.items(), reverse=True)]  # U, L_local
        return chances(trust.quadrant, np.stack(above, axis=1), QUADRANTS)
    if "route" not in predictor.fitted:
        return None
    found = predictor.fitted["route"]
    logs = log_chances(found.probabilities(x), found.names.tolist(), FORMATS)
    return np.exp(logs) if trust.route is None else chances(trust.route, logs, FORMATS)


def _matched(features: FeatureSet, predictor: Predictor) -> FeatureSet:
    """``features`` with the columns that the predictor learned from, in its order."""
    wanted = [name for name in predictor.names if name in set(predictor.names) - set(predictor.projection.names)]
    missing = [name for name in wanted if name not in features.names]
    unknown = [name for name in features.names if name not in set(wanted)]
    if missing or unknown:
        raise PredictorError(
            f"the features are not those of this predictor: it needs {_some(missing)} and does not know "
            f"{_some(unknown)}. They are of another world's vocabulary or another version: give --snapshots instead of "
            "--features, or learn a predictor there."
        )
    if "tier2" in predictor.tiers:
        for part, mean in predictor.projection.means.items():
            width = features.embeddings[part].shape[1] if part in features.embeddings else 0
            if width != len(mean):
                raise PredictorError(
                    f"the hidden states of {part} have {width} units, this predictor learned from {len(mean)}: they "
                    "are another student's. Rank without hidden states (no --student), or learn a predictor of its "
                    "failures."
                )
    # rows one after the other, as they were learned from: the order of sums follows the layout
    table = np.ascontiguousarray(features.table[:, [features.names.index(name) for name in wanted]])
    return FeatureSet(features.snapshot_id, features.task_id, tuple(wanted), table, features.embeddings)


def _some(names: list[str]) -> str:
    return "nothing" if not names else ", ".join(map(repr, names[:3])) + (" ..." if len(names) > 3 else "")


def _finite(x: NDArray[np.float64], predictor: Predictor, features: FeatureSet) -> None:
    rows, columns = np.nonzero(~np.isfinite(x))
    if len(rows):
        raise PredictorError(
            f"snapshot {features.snapshot_id[rows[0]]}: the feature {predictor.names[columns[0]]!r} is not finite "
            f"({len(set(rows.tolist()))} of {len(x)} snapshots have such a value): make the features again."
        )


def to_bytes(kept: Kept | str) -> bytes:
    """The file that keeps predictors; equal ones are equal bytes. A text stands for a predictor that there is not: the
    reason, which :func:`from_bytes` gives to whoever asks for it."""
    tensors: Tensors = {}
    record: dict[str, Any] = {"format": FORMAT, "program": _program()}
    if isinstance(kept, str):
        record["absent"] = kept
        tensors["absent"] = np.zeros(1, dtype=np.uint8)  # safetensors of nothing are read differently by version
    else:
        record["about"] = asdict(kept.about)
        record["variants"] = {
            tiers: _encode(f"{i}", variant, tensors) for i, (tiers, variant) in enumerate(sorted(kept.variants.items()))
        }
    # of equal matrices laid out otherwise BLAS sums products in another order: the last bit would be another
    record["by_column"] = sorted(name for name, array in tensors.items() if not array.flags.c_contiguous)
    tensors = {name: np.ascontiguousarray(_compact(array)) for name, array in tensors.items()}
    record["digest"] = _digest(record, tensors)
    return save(tensors, metadata={_KEY: json.dumps(record, sort_keys=True)})


def from_bytes(data: bytes, source: str = "the predictor") -> Kept:
    """The predictors that ``data`` keep; ``source`` names the file in messages.

    Raises :class:`PredictorError`: it is no such file, damaged, of another format or version of the features, or holds
    the reason why there is no predictor.
    """
    record = _record(data, source)
    if record.get("format") != FORMAT:
        raise PredictorError(
            f"{source} has format {record.get('format')!r}, written by teachable-moments {record.get('program')}; this "
            f"program ({_program()}) reads format {FORMAT}: use that version, or make the file again."
        )
    try:
        tensors = dict(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise PredictorError(f"{source} is damaged ({error}): {_AGAIN}.") from None
    if record.get("digest") != _digest({k: v for k, v in record.items() if k != "digest"}, tensors):
        raise PredictorError(f"{source} is damaged (its digest is another): {_AGAIN}.")
    if "absent" in record:
        raise PredictorError(f"{source} holds no predictor, for none could be learned: {record['absent']}")
    try:
        about = About(**record["about"])
        tensors |= {name: np.asfortranarray(tensors[name]) for name in record["by_column"]}
        variants = {tiers: _decode(f"{i}", said, tensors) for i, (tiers, said) in enumerate(record["variants"].items())}
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise PredictorError(f"{source} is incomplete ({type(error).__name__}: {error}): {_AGAIN}.") from None
    except PredictorError as error:
        raise PredictorError(f"{source}: {error} To mend it, {_AGAIN}.") from None
    if about.features_version != FEATURES_VERSION:
        raise PredictorError(
            f"{source} learned from features of version {about.features_version}, this program makes version "
            f"{FEATURES_VERSION}: use teachable-moments {record.get('program')}, or make the file again."
        )
    return Kept(about, variants)


def _record(data: bytes, source: str) -> dict[str, Any]:
    """The JSON in the header of a safetensors file."""
    try:
        size = int.from_bytes(data[:8], "little")
        if len(data) < 8 or size > len(data) - 8:
            raise ValueError("it ends within its header")
        record = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
        if not isinstance(record, dict):
            raise ValueError("its record is none")
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise PredictorError(
            f"{source} is no kept predictor, or damaged ({type(error).__name__}: {error}): {_AGAIN}."
        ) from None
    return record


def _program() -> str:
    from teachable.version import __version__

    return __version__


def _digest(record: Mapping[str, Any], tensors: Tensors) -> str:
    found = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        found.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _compact(array: NDArray[Any]) -> NDArray[Any]:
    """In half the bytes where nothing is lost: hidden states come in single precision, nodes are few."""
    smaller = {"f": np.float32, "i": np.int32}.get(array.dtype.kind)
    if smaller is None:
        return array
    with np.errstate(over="ignore"):
        found = array.astype(smaller)
    return found if np.array_equal(found.astype(array.dtype), array) else array


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype({"f": np.float64, "i": np.int64}.get(array.dtype.kind, array.dtype))


def _encode(prefix: str, variant: Variant, tensors: Tensors) -> dict[str, Any]:
    """Put the arrays of a variant into ``tensors`` and return the rest as JSON."""
    predictor, trust = variant.predictor, variant.trust
    projection, references = predictor.projection, predictor.projection.references
    for part, mean in projection.means.items():
        tensors[f"{prefix}/mean/{part}"] = mean
    for part, components in projection.components.items():
        tensors[f"{prefix}/components/{part}/mean"] = components.mean
        tensors[f"{prefix}/components/{part}/axes"] = components.axes
    if references is not None:
        tensors[f"{prefix}/references/vectors"] = references.vectors
        tensors[f"{prefix}/references/success"] = references.success
    conformal, known = trust.teachability, trust.known
    for name in ("predicted", "residual", "game", "edges"):
        tensors[f"{prefix}/teachability/{name}"] = getattr(conformal, name)
    for name in ("mean", "scale", "root", "distance", "game"):
        tensors[f"{prefix}/known/{name}"] = getattr(known, name)
    learners = {f"target/{target}": (found.name, found.model) for target, found in predictor.fitted.items()}
    learners |= {
        f"trust/{name}": ("logistic", learner)
        for name, learner in (("route", trust.route), ("quadrant", trust.quadrant))
        if learner is not None
    }
    for place, (_, learner) in learners.items():
        for name, array in learner.arrays.items():
            tensors[f"{prefix}/{place}/{name}"] = array
    return {
        "tiers": list(predictor.tiers),
        "names": list(predictor.names),
        "parts": list(projection.means),
        "components": list(projection.components),
        "references": None if references is None else references.task_id.tolist(),
        "cuts": {name: repr(cut) for name, cut in predictor.cuts.items()},  # may be infinite, which JSON is not
        "learners": {
            place: {"name": name, "kind": learner.kind, "classes": list(learner.classes_)}
            for place, (name, learner) in learners.items()
        },
    }


def _decode(prefix: str, said: Mapping[str, Any], tensors: Tensors) -> Variant:
    def of(name: str) -> NDArray[Any]:
        return _wide(tensors[f"{prefix}/{name}"])

    width = len(said["names"])

    def learner(place: str, width: int) -> Plain:
        entry = said["learners"][place]
        start = f"{prefix}/{place}/"
        arrays = {name[len(start) :]: _wide(array) for name, array in tensors.items() if name.startswith(start)}
        return from_arrays(entry["kind"], tuple(entry["classes"]), arrays, width)

    references = None
    if said["references"] is not None:
        references = References(
            of("references/vectors"), np.asarray(said["references"], dtype=np.str_), of("references/success")
        )
    projection = Projection(
        {part: of(f"mean/{part}") for part in said["parts"]},
        {part: Components(of(f"components/{part}/mean"), of(f"components/{part}/axes")) for part in said["components"]},
        references,
    )
    fitted = {
        place.removeprefix("target/"): Fitted(entry["name"], learner(place, width), None)
        for place, entry in said["learners"].items()
        if place.startswith("target/")
    }
    trusted = {
        name: learner(f"trust/{name}", size) if f"trust/{name}" in said["learners"] else None
        for name, size in (("route", len(FORMATS)), ("quadrant", 2))
    }
    beyond = [
        name
        for place in said["learners"]
        for name in said["learners"][place]["classes"]
        if name not in (*FORMATS, *QUADRANTS)
    ]
    if beyond:
        raise PredictorError(f"it knows the class {beyond[0]!r}, which is neither a format nor a quadrant here.")
    known = Known(*(of(f"known/{name}") for name in ("mean", "scale", "root", "distance", "game")))
    if known.root.shape != (width, width) or len(known.mean) != width or len(known.scale) != width:
        raise PredictorError("what it knows of the training snapshots is of another number of features.")
    return Variant(
        Predictor(
            tuple(said["tiers"]),
            projection,
            tuple(said["names"]),
            fitted,
            {name: float(cut) for name, cut in said["cuts"].items()},
        ),
        Trust(
            Conformal(*(of(f"teachability/{name}") for name in ("predicted", "residual", "game", "edges"))),
            known,
            trusted["route"],
            trusted["quadrant"],
        ),
    )
