"""Tier 2: what becomes of hidden states before a model sees them, fitted on training games only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachable.predictor.sets import PARTS, FeatureSet, Floats, References

PAIRS = (("state", "goal"), ("history", "goal"), ("state", "history"))


@dataclass(frozen=True, slots=True)
class Components:
    """Principal components ``axes[C, H]`` about ``mean[H]``."""

    mean: Floats
    axes: Floats

    def transform(self, vectors: Floats) -> Floats:
        """The components ``[N, C]`` of ``vectors[N, H]``, in the order of sums of scikit-learn's ``PCA``."""
        found = vectors @ self.axes.T
        found -= self.mean.reshape(1, -1) @ self.axes.T
        return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Projection:
    """Principal components, similarities and prototypes, as learned from the training snapshots.

    Mean-pooled hidden states share a large common part (Ethayarajh 2019), so each part is centred on its
    training mean before any cosine; otherwise all similarities are near one. Prototypes are success-weighted
    means of the reference states of training games (as in Snell et al. 2017), and for each snapshot leave its
    own game out, so that a training row is described exactly as an unseen one will be.
    """

    means: dict[str, Floats]
    components: dict[str, Components]
    references: References | None

    @classmethod
    def fit(cls, train: FeatureSet, components: int, seed: int) -> Projection:
        """Learn from ``train``; at most ``components`` principal components a part."""
        from sklearn.decomposition import PCA

        means = {part: vectors.mean(axis=0) for part, vectors in train.embeddings.items()}
        fitted = {}
        for part, vectors in train.embeddings.items():
            size = min(components, len(vectors) - 1, vectors.shape[1], _distinct(vectors) - 1)
            if size > 0:
                found = PCA(size, svd_solver="randomized", random_state=seed % 2**32).fit(vectors)
                fitted[part] = Components(found.mean_, found.components_)
        references = train.references
        if references is not None:
            inside = np.isin(references.task_id, train.task_id)
            references = References(references.vectors[inside], references.task_id[inside], references.success[inside])
            if "state" not in means or not inside.any():
                references = None
        return cls(means, fitted, references)

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in the order of :meth:`transform`'s columns."""
        names = [f"{part}.pc{i + 1:02d}" for part in PARTS if part in self.components for i in self._range(part)]
        names += [f"similarity.{a}_{b}" for a, b in PAIRS if self._comparable(a, b)]
        if self.references is not None:
            names += ["prototype.success", "prototype.failure", "prototype.difference"]
        return tuple(names)

    def transform(self, features: FeatureSet) -> Floats:
        """Tier 2 columns ``[N, T]`` of snapshots."""
        centred = {part: features.embeddings[part] - mean for part, mean in self.means.items()}
        columns: list[Floats] = [
            self.components[part].transform(features.embeddings[part]) for part in PARTS if part in self.components
        ]
        columns += [cosine(centred[a], centred[b])[:, None] for a, b in PAIRS if self._comparable(a, b)]
        if self.references is not None:
            columns.append(self._prototypes(centred["state"], features.task_id))
        return np.concatenate(columns, axis=1) if columns else np.empty((len(features), 0))

    def _range(self, part: str) -> range:
        return range(len(self.components[part].axes))

    def _comparable(self, a: str, b: str) -> bool:
        return a in self.means and b in self.means and len(self.means[a]) == len(self.means[b])

    def _prototypes(self, states: Floats, tasks: NDArray[np.str_]) -> Floats:
        assert self.references is not None
        vectors = self.references.vectors - self.means["state"]
        success = self.references.success
        columns = []
        for weight in (success, 1.0 - success):
            total, mass = weight @ vectors, weight.sum()
            similarity = np.zeros(len(states))
            for task in np.unique(tasks):
                own = self.references.task_id == task
                rest = mass - weight[own].sum()
                if rest > 1e-9:
                    here = tasks == task
                    prototype = (total - weight[own] @ vectors[own]) / rest
                    similarity[here] = cosine(states[here], np.broadcast_to(prototype, states[here].shape))
            columns.append(similarity)
        return np.stack([columns[0], columns[1], columns[0] - columns[1]], axis=1)


def cosine(a: Floats, b: Floats) -> Floats:
    """Row-wise cosine similarity of ``[N, H]`` and ``[N, H]``; 0 for a null vector."""
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    dot = np.einsum("nh,nh->n", a, b)
    return np.asarray(np.divide(dot, scale, out=np.zeros(len(a)), where=scale > 1e-12), dtype=np.float64)


def _distinct(vectors: Floats) -> int:
    return len(np.unique(vectors.round(9), axis=0))
