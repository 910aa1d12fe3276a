"""The teachability predictor: which failures are worth teaching from, told from cheap features.

Features (tier 1 from the snapshot's row, tier 2 from the student's hidden states), a multi-task model held out by game,
and its metrics against rivals. Frames in, frames out.
"""

from teachable.predictor.analysis import permutation_importance, sample_efficiency
from teachable.predictor.baselines import baseline_predictions, ranking_score
from teachable.predictor.errors import PredictorError
from teachable.predictor.features import embedding_texts, state_texts, tier1_features
from teachable.predictor.learners import Settings
from teachable.predictor.metrics import (
    Bootstrap,
    UnitCosts,
    calibration,
    compare,
    confusion,
    cost_table,
    evaluate,
)
from teachable.predictor.model import CrossFit, Predictor, cross_fit, fit, predict_held_out
from teachable.predictor.sets import (
    FeatureSet,
    References,
    feature_set,
    from_table,
    label_references,
    reference_states,
    to_table,
)
from teachable.predictor.study import Study, run_study

__all__ = [
    "Bootstrap",
    "CrossFit",
    "FeatureSet",
    "Predictor",
    "PredictorError",
    "References",
    "Settings",
    "Study",
    "UnitCosts",
    "baseline_predictions",
    "calibration",
    "compare",
    "confusion",
    "cost_table",
    "cross_fit",
    "embedding_texts",
    "evaluate",
    "feature_set",
    "fit",
    "from_table",
    "label_references",
    "permutation_importance",
    "predict_held_out",
    "ranking_score",
    "reference_states",
    "run_study",
    "sample_efficiency",
    "state_texts",
    "tier1_features",
    "to_table",
]
