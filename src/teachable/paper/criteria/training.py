"""H3 to H5: formats, transfer between quadrants, gains against the controls, retention."""

from __future__ import annotations

from teachable.paper.criteria.judge import LE, Judge, Verdict, one, turned
from teachable.paper.inputs import Interval, PaperError, intervals, number, select, where
from teachable.terms import RANDOM_ANSWER

FORGETTING = 0.10  # absolute drop of retention that is still accepted; 0.05 is the stretch goal


def training(judge: Judge) -> None:
    """From the contrasts of the runs of the matrix."""
    data = judge.data

    def contrast(name: str, panel: str = "failure") -> Interval:
        return one(data, "contrasts", contrast=name, panel=panel, group="all", metric="success")

    @judge.criterion(
        "best_format",
        "H3",
        "Best format minus demonstrations, cross-fitted",
        "interval above 0",
        "Demonstrations are as good as choosing by quadrant here; figure H3.1 shows how large the cells' "
        "intervals are.",
        shown="fig-h3_1",
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
        shown="fig-h4_1",
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
        shown="tab-h4_2",
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

        @judge.criterion(name, "H5", text, "interval above 0", advice, shown="fig-h5_1", null=0)
        def gain(pair: str = pair) -> Verdict:
            value = contrast(pair)
            return value, value.low > 0

    @judge.criterion(
        "right_answers",
        "H5",
        "B1_uniform minus C_random (the same snapshots, a random command as the answer)",
        "interval above 0",
        "What the examples answer does not matter: what is gained comes from training as such.",
        shown="tab-h5_1",
        null=0,
    )
    def answers() -> Verdict:
        value = turned(contrast("C_random-vs-B1_uniform"))
        return value, value.low > 0

    @judge.criterion(
        "random_answers",
        "H5",
        "Gain from failure states of C_random against replay alone",
        "interval not above 0",
        "Random answers improve the student as well: the gains of the other runs are not (only) the teacher's.",
        shown="fig-h5_1",
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
            shown="fig-h5_3",
        )
        def forgotten(limit: float = limit) -> Verdict:
            found = intervals(
                data, "contrasts", "model", reference="base", panel="retention", group="all", metric="success"
            )
            taught = {run: value for run, value in found.items() if run != RANDOM_ANSWER}  # wrong on purpose
            if not taught:
                raise PaperError(f"The input {where('contrasts')} has no trained run on the retention panel.")
            drop = turned(min(taught.values(), key=lambda value: value.point))
            return drop, drop.high < limit
