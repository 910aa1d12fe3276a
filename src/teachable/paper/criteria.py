"""Every criterion of the protocol and of a healthy run: estimate, interval, threshold, verdict and advice.

Only stored numbers are judged. What cannot be measured with the inputs at hand gets ``passed: None`` and the
reason as its advice; nothing here raises for a missing input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl

from teachable.paper.inputs import (
    QUADRANTS,
    RUNS,
    Data,
    Interval,
    PaperError,
    intervals,
    number,
    record,
    select,
    where,
)
from teachable.training.matrix import RANDOM_ANSWER, selection_name, selection_of

Verdict = tuple[Interval | float, bool]
FORGETTING = 0.10  # absolute drop of retention that is still accepted; 0.05 is the stretch goal
PLACEBO = 0.05  # absolute mean gain of a content-free patch that still counts as none
LEVERAGE = 0.15  # success probability by which the quadrants of high L_local must exceed the others
UNCERTAINTY = 0.2  # nats by which those of high U must
# A maximum over three formats is above 0 where patches only scatter, and more so where more can be lost or won.
BOTH = "interval above 0, and that of the mean over formats"
GE, LE = "\N{GREATER-THAN OR EQUAL TO}", "\N{LESS-THAN OR EQUAL TO}"


def criteria(data: Data, *, builtin_student: bool = True, per_quadrant: int = 30) -> list[dict[str, Any]]:
    """One entry a criterion, in the order of the protocol.

    Each has ``id``, ``hypothesis`` (``health`` or H1..H7), ``name``, ``value``, ``low``, ``high`` (null where
    there is none), ``mde`` (the smallest true effect that would have been seen with 80 % power, in the units of
    ``value``), ``n``, ``games``, ``threshold`` (text), ``passed`` (true, false, or null when it could not
    be measured) and ``advice``: what to do about a fail, or why it could not be measured; empty when it
    passed. ``builtin_student`` adds the band of success that the project's own small student must reach;
    ``per_quadrant`` is how many snapshots each quadrant needs.
    """
    judge = _Judge(data)
    _health(judge, builtin_student, per_quadrant)
    _labels_and_patch_test(judge)
    _training(judge)
    _predictor(judge)
    _selection(judge)
    return judge.entries


class _Judge:
    """Collects entries; a criterion is a function that returns its estimate and whether it holds."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.entries: list[dict[str, Any]] = []

    def criterion(
        self, name: str, hypothesis: str, text: str, threshold: str, advice: str, *, null: float | None = None
    ) -> Callable[[Callable[[], Verdict]], None]:
        """Decorates the function that measures the criterion; it is called at once.

        ``null`` is the value that more is better than: where the criterion fails, the advice then opens with
        what the study could have seen (:func:`explain`).
        """
        entry: dict[str, Any] = {
            "id": name,
            "hypothesis": hypothesis,
            "name": text,
            **dict.fromkeys(("value", "low", "high", "mde", "n", "games")),
            "threshold": threshold,
            "passed": None,
            "advice": "",
        }
        self.entries.append(entry)

        def judged(measure: Callable[[], Verdict]) -> None:
            try:
                value, passed = measure()
            except PaperError as error:
                entry["advice"] = f"Not measurable: {error}"
                return
            if isinstance(value, Interval):
                entry.update(value=value.point, low=_finite(value.low), high=_finite(value.high))
                entry.update(n=value.n, games=value.clusters, mde=_finite(value.detectable))
            else:
                entry["value"] = float(value)
            said = f"{explain(value, null)} " if null is not None and isinstance(value, Interval) else ""
            entry.update(passed=bool(passed), advice="" if passed else said + advice)

        return judged


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def explain(value: Interval, null: float) -> str:
    """What a criterion that did not hold says about the truth: another effect, or a study too small to see one."""
    if not math.isfinite(value.low):
        return f"There is no interval for {number(value.point)} (too few games): nothing can be said."
    if value.high < null:
        return f"The opposite was seen: {value.text()}."
    if value.low > null:
        return f"An effect was seen, but less than is asked for: {value.text()}."
    seen = number(value.detectable)
    away = "" if null == 0 else f" from {number(null)}"
    return f"No effect was seen ({value.text()}); one of {seen} or more{away} would have been seen with 80 % power."


def _one(data: Data, name: str, **conditions: Any) -> Interval:
    """The only stored estimate under ``conditions``."""
    column = next(iter(conditions))
    found = intervals(data, name, column, **conditions)
    return next(iter(found.values()))


def _health(judge: _Judge, builtin: bool, needed: int) -> None:
    data = judge.data

    @judge.criterion(
        "restore",
        "health",
        "Snapshots restored exactly",
        "= 1.00",
        "Open restore_check.json for the tasks that differ; a snapshot that does not restore must not be labelled.",
    )
    def restored() -> Verdict:
        fraction = float(record(data, "restore_check", "fraction"))
        return fraction, fraction == 1.0

    for quadrant in QUADRANTS:

        @judge.criterion(
            f"snapshots_{quadrant}",
            "health",
            f"Snapshots in {quadrant}",
            f"{GE} {needed}",
            "Raise tasks.train or snapshots.max_snapshots; with few snapshots every interval of this quadrant is wide.",
        )
        def counted(quadrant: str = quadrant) -> Verdict:
            count = int(record(data, "thresholds", "counts").get(quadrant, 0))
            return float(count), count >= needed

    for axis, metric, high, group, margin in (
        ("L_local", "L_local_regressed", "Q1 and Q4", "high_L_minus_low_L", LEVERAGE),
        ("U", "U", "Q1 and Q2", "high_U_minus_low_U", UNCERTAINTY),
    ):
        without = ", less what noise makes" if metric != axis else ""

        @judge.criterion(
            f"quadrants_{axis}",
            "health",
            f"Mean {axis} of {high} minus that of the others{without}",
            f"{GE} {number(margin)}, interval above 0",
            "The quadrants hardly differ in what they are named for, so nothing by quadrant means much: see the share "
            "of snapshots within two standard errors of the cut in thresholds.json, and figure H1.6.",
        )
        def apart(metric: str = metric, group: str = group, margin: float = margin) -> Verdict:
            value = _one(data, "label_metrics", metric=metric, group=group)
            return value, value.point >= margin and value.low > 0

    if builtin:

        @judge.criterion(
            "student_success",
            "health",
            "Success of the built-in student on test tasks",
            "0.40 to 0.75",
            "Outside of this band there are too few failures, or too few successes, to learn from: change "
            "builtin.gaps, builtin.max_steps or the mix of families.",
        )
        def banded() -> Verdict:
            value = _one(data, "metrics", model="base", panel="test", group="all", metric="success")
            return value, 0.40 <= value.point <= 0.75

    @judge.criterion(
        "placebo",
        "health",
        "Mean gain of the placebo",
        f"within \N{PLUS-MINUS SIGN}{PLACEBO}",
        "A patch without content moves the student: check its length and that the student was trained with "
        "empty and filled patches.",
    )
    def placebo() -> Verdict:
        value = _one(data, "label_metrics", metric="placebo_gain", group="all")
        return value, abs(value.point) <= PLACEBO

    @judge.criterion(
        "content_gain",
        "health",
        "Mean net gain of content patches where the expert can win",
        "interval above 0",
        "The student does not use patches: a student from scratch must see them in training; a large one "
        "needs a clearer layout.",
    )
    def content() -> Verdict:
        value = _one(data, "label_metrics", metric="net_mean", group="winnable")
        return value, value.low > 0

    @judge.criterion(
        "adapters",
        "health",
        "Adapters of the matrix that differ from base on a probe",
        f"= {len(RUNS)}",
        "An adapter equal to base was not trained or not loaded: see probe_shift and the loss of each run in "
        "training_summary.json.",
    )
    def adapters() -> Verdict:
        runs = record(data, "training_summary", "runs")
        moved = [run for run in RUNS if float((runs.get(run) or {}).get("probe_shift") or 0.0) > 0]
        return float(len(moved)), len(moved) == len(RUNS)


def _labels_and_patch_test(judge: _Judge) -> None:
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
        null=0,
    )
    def heterogeneity() -> Verdict:
        value = _one(data, "label_metrics", metric="ELP_net_debiased", group="high_L_minus_low_L")
        mean = _one(data, "label_metrics", metric="net_mean", group="high_L_minus_low_L")
        return value, value.low > 0 and mean.low > 0

    for name, goal, text in (("patch_test", 0.3, ""), ("patch_test_stretch", 0.5, ", stretch goal")):

        @judge.criterion(
            name,
            "H2",
            f"Spearman of ELP_net and training effect{text}",
            f"{GE} {number(goal)}, interval above 0",
            "Noise in ELP_net and in the effect caps the correlation: raise condition_episodes and "
            "similar_tasks before doubting the test.",
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
        null=0,
    )
    def utility() -> Verdict:
        value = stored("utility_Q1_minus_Q2")
        return value, value.low > 0


def _training(judge: _Judge) -> None:
    data = judge.data

    def contrast(name: str, panel: str = "failure") -> Interval:
        return _one(data, "contrasts", contrast=name, panel=panel, group="all", metric="success")

    @judge.criterion(
        "best_format",
        "H3",
        "Best format minus demonstrations, cross-fitted",
        "interval above 0",
        "Demonstrations are as good as choosing by quadrant here; figure H3.1 shows how large the cells' "
        "intervals are.",
        null=0,
    )
    def formats() -> Verdict:
        value = contrast("best_format-vs-demo")
        return value, value.low > 0

    @judge.criterion(
        "transfer",
        "H4",
        "Diagonal minus off-diagonal of the transfer matrix",
        "interval above 0",
        "What is learned is not specific to quadrants: compare B1_uniform, see which skills fill which quadrant, "
        "and enlarge the failure panel before concluding.",
        null=0,
    )
    def diagonal() -> Verdict:
        value = contrast("transfer_diagonal_minus_off")
        return value, value.low > 0

    @judge.criterion(
        "transfer_permutation",
        "H4",
        "p of that difference when quadrant labels are permuted",
        f"{LE} 0.05, difference above 0",
        "Labels dealt out at random over the same held-out snapshots give such a difference as well.",
    )
    def permuted() -> Verdict:
        rows = select(data, "contrasts", contrast="transfer_diagonal_permutation", metric="success")
        p_value = rows["p_value"][0]
        if p_value is None:
            raise PaperError(f"The permutation of quadrant labels: {rows['method'][0]}.")
        return float(p_value), p_value <= 0.05 and contrast("transfer_diagonal_minus_off").point > 0

    for name, pair, text, advice in (
        (
            "training_gain",
            "B1_uniform-vs-C_replay",
            "Gain from failure states of B1_uniform against replay alone",
            "Teaching on failures adds nothing certain to replay: see the loss and probe_shift of the run in "
            "training_summary.json, and figure H1.6 for whether the deciding decisions were mined.",
        ),
        (
            "q1_gain",
            "Q1_demo-vs-C_replay",
            "Gain from failure states of Q1_demo against replay alone",
            "Few examples of one quadrant may not be enough: compare B1_uniform, and the budget table.",
        ),
        (
            "recovery",
            "recovery-vs-C_replay",
            "Gain from failure states of the recovery run against replay alone",
            "Check that recovery examples come from snapshots with high L_upper, and the run's loss in "
            "training_summary.json.",
        ),
        (
            "q1_over_q3",
            "gain_Q1_minus_Q3_B1_uniform",
            "Gain of B1_uniform on Q1 minus that on Q3",
            "Training helps states that need no help as much as those that do: look at the means of L_local by "
            "quadrant first.",
        ),
    ):

        @judge.criterion(name, "H5", text, "interval above 0", advice, null=0)
        def gain(pair: str = pair) -> Verdict:
            value = contrast(pair)
            return value, value.low > 0

    @judge.criterion(
        "right_answers",
        "H5",
        "B1_uniform minus C_random (the same snapshots, a random command as the answer)",
        "interval above 0",
        "What the examples answer does not matter: what is gained comes from training as such.",
        null=0,
    )
    def answers() -> Verdict:
        value = _turned(contrast("C_random-vs-B1_uniform"))
        return value, value.low > 0

    @judge.criterion(
        "random_answers",
        "H5",
        "Gain from failure states of C_random against replay alone",
        "interval not above 0",
        "Random answers improve the student as well: the gains of the other runs are not (only) the teacher's.",
    )
    def random_answers() -> Verdict:
        value = contrast("C_random-vs-C_replay")
        return value, not value.low > 0

    for name, limit, text in (
        ("retention", FORGETTING, ""),
        ("retention_stretch", FORGETTING / 2, ", stretch goal"),
    ):

        @judge.criterion(
            name,
            "H5",
            f"Largest drop of retention of any run but C_random{text}",
            f"interval below {number(limit)}",
            "If the drop itself is large, lower the learning rate or the number of epochs, or replay more "
            "(figure H5.2 shows when it is forgotten); if only its interval is, enlarge the retention panel.",
        )
        def forgotten(limit: float = limit) -> Verdict:
            found = intervals(
                data, "contrasts", "model", reference="base", panel="retention", group="all", metric="success"
            )
            taught = {run: value for run, value in found.items() if run != RANDOM_ANSWER}  # wrong on purpose
            if not taught:
                raise PaperError(f"The input {where('contrasts')} has no trained run on the retention panel.")
            drop = _turned(min(taught.values(), key=lambda value: value.point))
            return drop, drop.high < limit


def _turned(value: Interval) -> Interval:
    """The same difference the other way round."""
    return Interval(-value.point, -value.high, -value.low, value.n, value.clusters, value.mde)


def _predictor(judge: _Judge) -> None:
    data = judge.data

    @judge.criterion(
        "predictor_ndcg",
        "H6",
        "NDCG@k of the predictor minus entropy, middle k",
        "interval above 0",
        "Label more snapshots (figure H6.4 shows whether more would help) or add features.",
        null=0,
    )
    def against_entropy() -> Verdict:
        rows = select(
            data,
            "predictor_metrics",
            method="predictor - entropy",
            target="ELP_net",
            metric="ndcg_difference",
        )
        rows = rows.drop_nulls(["point", "k"]).sort("k")
        if rows.is_empty():
            raise PaperError(f"The input {where('predictor_metrics')} has no ndcg_difference of 'predictor - entropy'.")
        value = Interval.of(rows.row(len(rows) // 2, named=True))
        return value, value.low > 0

    for name, target, metric, goal, null, text in (
        ("predictor_U", "U", "r2", 0.6, 0.0, "R\N{SUPERSCRIPT TWO} of predicted U"),
        ("predictor_L", "L_local", "r2", 0.5, 0.0, "R\N{SUPERSCRIPT TWO} of predicted L_local"),
        (
            "predictor_quadrant",
            "quadrant",
            "leverage_balanced_accuracy",
            0.7,
            0.5,
            "Balanced accuracy of the leverage side of the predicted quadrant (its other side, U, is an input)",
        ),
    ):

        @judge.criterion(
            name,
            "H6",
            text,
            f"> {number(goal)}, interval above {number(null)}",
            "Noise in the labels bounds this: compare with the standard errors of the labels and with the "
            "oracle features in Tab H6.1.",
            null=null,
        )
        def quality(target: str = target, metric: str = metric, goal: float = goal, null: float = null) -> Verdict:
            rows = select(data, "predictor_metrics", method="predictor", target=target, metric=metric)
            rows = rows.drop_nulls("point").sort("train_size", nulls_last=False)
            if rows.is_empty():
                raise PaperError(
                    f"The input {where('predictor_metrics')} has no {metric} of {target}: the point is null."
                )
            value = Interval.of(rows.row(-1, named=True))
            return value, value.low > null and value.point > goal


def _selection(judge: _Judge) -> None:
    data = judge.data

    try:
        rows = select(data, "selection_contrasts", panel="failure", group="all", metric="success")
        budgets = sorted({pair[1] for pair in map(selection_of, rows["model"]) if pair})
    except PaperError:
        budgets = []

    def paired(method: str, rival: str, panel: str = "failure", k: int | None = None) -> Interval:
        if not budgets:
            raise PaperError(f"The input {where('selection_contrasts')} has no selection run.")
        k = k or budgets[0]
        name = f"{selection_name(method, k)}-vs-{selection_name(rival, k)}"
        return _one(data, "selection_contrasts", contrast=name, panel=panel, group="all", metric="success")

    for method, rival, advice in (
        ("predictor", "entropy", "Compare with the oracle: if it does not gain either, no predictor could."),
        ("entropy", "random", "Uncertainty alone also takes what one action cannot teach: see Tab H7.2."),
        ("oracle", "random", "Measured teachability does not help the choice at this k: see what it took in Tab H7.2."),
        ("oracle", "entropy", "Measured teachability is no better a guide than uncertainty at this k."),
    ):

        @judge.criterion(
            f"selection_{method}_{rival}",
            "H7",
            f"Selection at the smallest k, from failures: {method.replace('_', ', ')} minus {rival}",
            "interval above 0",
            advice,
            null=0,
        )
        def gain(method: str = method, rival: str = rival) -> Verdict:
            value = paired(method, rival)
            return value, value.low > 0

    for method in ("oracle", "predictor"):
        for k in (*budgets,) or (None,):

            @judge.criterion(
                f"selection_{method}_diverse_{method}" + (f"_k{k}" if k in budgets[1:] else ""),
                "H7",
                f"Selection{f' of {k}' if k else ''}, from failures: {method}, diverse minus {method}",
                "interval above 0",
                "Weighing what is covered gains nothing certain: see figure H7.1, and Tab H7.2 for what was chosen.",
                null=0,
            )
            def covering(method: str = method, k: int | None = k) -> Verdict:
                value = paired(f"{method}_diverse", method, k=k)
                return value, value.low > 0

    @judge.criterion(
        "selection_retention",
        "H7",
        "Predictor minus entropy, retention",
        f"interval above {number(-0.05)}",
        "The predictor's choice may forget more: see figure H7.2 for the trade-off.",
    )
    def kept() -> Verdict:
        value = paired("predictor", "entropy", "retention")
        return value, value.low > -0.05


def verdicts(entries: list[dict[str, Any]]) -> dict[str, int]:
    """How many criteria passed, failed and could not be measured."""
    marks = pl.Series([entry["passed"] for entry in entries], dtype=pl.Boolean)
    return {
        "passed": int(marks.sum() or 0),
        "failed": int((~marks).sum() or 0),
        "not_measurable": marks.null_count(),
    }
