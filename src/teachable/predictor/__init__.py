"""The teachability predictor: which failures are worth teaching from, told from cheap features.

Features (tier 1 from the snapshot's row, tier 2 from the student's hidden states), a multi-task model held out by game,
its metrics against rivals, and one file that keeps it for new failures. Frames in, frames out.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from teachable.predictor.analysis import permutation_importance as permutation_importance
    from teachable.predictor.analysis import sample_efficiency as sample_efficiency
    from teachable.predictor.baselines import baseline_predictions as baseline_predictions
    from teachable.predictor.baselines import ranking_score as ranking_score
    from teachable.predictor.errors import PredictorError as PredictorError
    from teachable.predictor.features import embedding_texts as embedding_texts
    from teachable.predictor.features import state_texts as state_texts
    from teachable.predictor.features import tier1_features as tier1_features
    from teachable.predictor.fitted import Predictor as Predictor
    from teachable.predictor.keeping import keep as keep
    from teachable.predictor.kept import About as About
    from teachable.predictor.kept import Kept as Kept
    from teachable.predictor.kept import from_bytes as from_bytes
    from teachable.predictor.kept import to_bytes as to_bytes
    from teachable.predictor.learners import Settings as Settings
    from teachable.predictor.metrics import Bootstrap as Bootstrap
    from teachable.predictor.metrics import UnitCosts as UnitCosts
    from teachable.predictor.metrics import calibration as calibration
    from teachable.predictor.metrics import compare as compare
    from teachable.predictor.metrics import confusion as confusion
    from teachable.predictor.metrics import cost_table as cost_table
    from teachable.predictor.metrics import evaluate as evaluate
    from teachable.predictor.model import CrossFit as CrossFit
    from teachable.predictor.model import cross_fit as cross_fit
    from teachable.predictor.model import fit as fit
    from teachable.predictor.sets import FeatureSet as FeatureSet
    from teachable.predictor.sets import References as References
    from teachable.predictor.sets import feature_set as feature_set
    from teachable.predictor.sets import from_table as from_table
    from teachable.predictor.sets import label_references as label_references
    from teachable.predictor.sets import to_table as to_table
    from teachable.predictor.study import Study as Study
    from teachable.predictor.study import run_study as run_study

# Loaded when first asked for: what ranks new failures needs no scikit-learn, what fits a predictor does.
_PLACES = {
    "About": "teachable.predictor.kept",
    "Bootstrap": "teachable.predictor.metrics",
    "CrossFit": "teachable.predictor.model",
    "FeatureSet": "teachable.predictor.sets",
    "Kept": "teachable.predictor.kept",
    "Predictor": "teachable.predictor.fitted",
    "PredictorError": "teachable.predictor.errors",
    "References": "teachable.predictor.sets",
    "Settings": "teachable.predictor.learners",
    "Study": "teachable.predictor.study",
    "UnitCosts": "teachable.predictor.metrics",
    "baseline_predictions": "teachable.predictor.baselines",
    "calibration": "teachable.predictor.metrics",
    "compare": "teachable.predictor.metrics",
    "confusion": "teachable.predictor.metrics",
    "cost_table": "teachable.predictor.metrics",
    "cross_fit": "teachable.predictor.model",
    "embedding_texts": "teachable.predictor.features",
    "evaluate": "teachable.predictor.metrics",
    "feature_set": "teachable.predictor.sets",
    "fit": "teachable.predictor.model",
    "from_bytes": "teachable.predictor.kept",
    "from_table": "teachable.predictor.sets",
    "keep": "teachable.predictor.keeping",
    "label_references": "teachable.predictor.sets",
    "permutation_importance": "teachable.predictor.analysis",
    "ranking_score": "teachable.predictor.baselines",
    "run_study": "teachable.predictor.study",
    "sample_efficiency": "teachable.predictor.analysis",
    "state_texts": "teachable.predictor.features",
    "tier1_features": "teachable.predictor.features",
    "to_bytes": "teachable.predictor.kept",
    "to_table": "teachable.predictor.sets",
}

__all__ = [*sorted(_PLACES)]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'teachable.predictor' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
