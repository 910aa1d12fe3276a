"""Statistics for data clustered by game: intervals, contrasts, correlations, effect sizes, calibration.

Plain numpy and scipy over arrays; every random result takes a seed, and the same inputs give the same numbers.
"""

from teachable.stats.agreement import Disagreement, cohen_kappa
from teachable.stats.association import (
    correlation,
    partial_correlation,
    reliability_of_halves,
    spearman_brown,
    spearman_difference,
)
from teachable.stats.bootstrap import (
    cluster_bootstrap,
    cluster_ratio,
    cluster_standard_error,
    group_contrast,
    t_test,
)
from teachable.stats.core import (
    METHOD,
    REPETITIONS,
    Interval,
    Method,
    StatsError,
    bootstrap_weighted,
    cluster_codes,
    cluster_draws,
    expanded_tails,
)
from teachable.stats.effects import (
    Reliability,
    expected_calibration_error,
    reliability_curve,
    wilson,
)
from teachable.stats.paired import (
    Contrast,
    holm,
    minimum_detectable_effect,
    paired_difference,
    sign_flip_test,
)
from teachable.stats.shift import Shift, benjamini_hochberg, distribution_shift

__all__ = [
    "METHOD",
    "REPETITIONS",
    "Contrast",
    "Disagreement",
    "Interval",
    "Method",
    "Reliability",
    "Shift",
    "StatsError",
    "benjamini_hochberg",
    "bootstrap_weighted",
    "cluster_bootstrap",
    "cluster_codes",
    "cluster_draws",
    "cluster_ratio",
    "cluster_standard_error",
    "cohen_kappa",
    "correlation",
    "distribution_shift",
    "expanded_tails",
    "expected_calibration_error",
    "group_contrast",
    "holm",
    "minimum_detectable_effect",
    "paired_difference",
    "partial_correlation",
    "reliability_curve",
    "reliability_of_halves",
    "sign_flip_test",
    "spearman_brown",
    "spearman_difference",
    "t_test",
    "wilson",
]
