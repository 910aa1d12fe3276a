"""H1 and H2: does teachability differ by leverage, and does the patch test foretell training?"""

from __future__ import annotations

from teachable.paper.criteria.judge import BOTH, GE, PLACEBO, Judge, Verdict, one
from teachable.paper.inputs import Interval, PaperError, number, record
from teachable.terms import QUADRANTS


def patch_test(judge: Judge) -> None:
    """From the labels and the micro-training of the validation panel."""
    data = judge.data

    def correlation(key: str, quadrant: str | None = None) -> Interval:
        place = ("overall", key) if quadrant is None else ("per_quadrant", quadrant, key)
        return stored(*place)

    def stored(*place: str) -> Interval:
        value = record(data, "cpt_correlation", *place)
        name = f"cpt_correlation.{'.'.join(place)}"
        if value.get("point") is None:
            raise PaperError(
                f"{name} is not defined on {value.get('n', 0)} snapshots in {value.get('clusters', 0)} games."
            )
        return Interval.of(value, name)

    @judge.criterion(
        "heterogeneity",
        "H1",
        "Teachability (corrected ELP) at high minus low leverage",
        BOTH,
        "Teachability does not differ by leverage: look at H1.1 and H1.4 for dead ends, and at the standard "
        "errors of L_local.",
        shown="fig-h1_1",
        null=0,
    )
    def heterogeneity() -> Verdict:
        value = one(data, "label_metrics", metric="ELP_net_debiased", group="high_L_minus_low_L")
        mean = one(data, "label_metrics", metric="net_mean", group="high_L_minus_low_L")
        return value, value.low > 0 and mean.low > 0

    for name, goal, text in (("patch_test", 0.3, ""), ("patch_test_stretch", 0.5, ", stretch goal")):

        @judge.criterion(
            name,
            "H2",
            f"Spearman of ELP_net and training effect{text}",
            f"{GE} {number(goal)}, interval above 0",
            "Noise in ELP_net and in the effect caps the correlation: raise condition_episodes and "
            "similar_tasks before doubting the test.",
            shown="fig-h2_1",
            null=0,
        )
        def rank(goal: float = goal) -> Verdict:
            value = correlation("spearman")
            return value, value.low > 0 and value.point >= goal

    @judge.criterion(
        "leverage_rank",
        "H2",
        "Spearman with the training effect, ELP_net minus L_local",
        "interval above 0",
        "Leverage alone predicts training as well as the patch test does: the cheaper label may be enough here.",
        shown="tab-h2_1",
        null=0,
    )
    def leverage() -> Verdict:
        value = correlation("spearman_ELP_minus_L_local")
        return value, value.low > 0

    @judge.criterion(
        "patch_test_given_leverage",
        "H2",
        "Partial Spearman of ELP_net and effect, given L_local",
        "interval above 0",
        "The patch test adds nothing certain beyond leverage: enlarge the validation panel.",
        shown="tab-h2_1",
        null=0,
    )
    def partial() -> Verdict:
        value = correlation("partial_spearman_ELP_given_L")
        return value, value.low > 0

    for quadrant in QUADRANTS:

        @judge.criterion(
            f"patch_test_{quadrant}",
            "H2",
            f"Spearman within {quadrant}",
            "> 0.20, interval above 0",
            "A quadrant restricts the range of ELP_net: raise panels.validation_per_quadrant and read the "
            "interval, not the point.",
            shown="fig-h2_2",
            null=0,
        )
        def within(quadrant: str = quadrant) -> Verdict:
            value = correlation("spearman", quadrant)
            return value, value.low > 0 and value.point > 0.2

    @judge.criterion(
        "median_net_gain",
        "H2",
        "Median ELP_net, corrected for taking a maximum",
        BOTH,
        "Most patches do not beat the placebo: read figure A2 and check the advice for wrong or vague actions.",
        shown="fig-h1_2",
        null=0,
    )
    def median() -> Verdict:
        value = stored("median_net_gain_debiased")
        return value, value.low > 0 and stored("mean_net_gain").low > 0

    @judge.criterion(
        "validation_placebo",
        "H2",
        "Mean placebo gain, phase 1b",
        f"interval within \N{PLUS-MINUS SIGN}{PLACEBO}",
        "See the placebo criterion; on a small panel the interval may be too wide to exclude such a gain.",
        shown="tab-h2_2",
    )
    def validation_placebo() -> Verdict:
        value = stored("mean_placebo_gain")
        return value, value.low >= -PLACEBO and value.high <= PLACEBO

    @judge.criterion(
        "utility",
        "H2",
        "Training effect in Q1 minus Q2",
        "interval above 0",
        "Uncertain states without leverage taught as much as those with it: check that Q2 and Q4 were not "
        "swapped, then the interval.",
        shown="fig-h2_2",
        null=0,
    )
    def utility() -> Verdict:
        value = stored("utility_Q1_minus_Q2")
        return value, value.low > 0
