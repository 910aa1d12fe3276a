"""Is the run sound: exact snapshots, enough of them, quadrants that differ, a placebo that does nothing?"""

from __future__ import annotations

from teachable.paper.criteria.judge import GE, PLACEBO, Judge, Verdict, one
from teachable.paper.inputs import number, record
from teachable.terms import QUADRANTS, RUNS

LEVERAGE = 0.15  # success probability by which the quadrants of high L_local must exceed the others
UNCERTAINTY = 0.2  # nats by which those of high U must


def health(judge: Judge, builtin: bool, needed: int) -> None:
    """``builtin``: also the student's band of success; ``needed``: snapshots of a quadrant."""
    data = judge.data

    @judge.criterion(
        "restore",
        "health",
        "Snapshots restored exactly",
        "= 1.00",
        "Open restore_check.json for the tasks that differ; a snapshot that does not restore must not be labelled.",
        shown="tab-summary",
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
            shown="tab-h1_1",
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
            shown="fig-thresholds",
        )
        def apart(metric: str = metric, group: str = group, margin: float = margin) -> Verdict:
            value = one(data, "label_metrics", metric=metric, group=group)
            return value, value.point >= margin and value.low > 0

    if builtin:

        @judge.criterion(
            "student_success",
            "health",
            "Success of the built-in student on test tasks",
            "0.40 to 0.75",
            "Outside of this band there are too few failures, or too few successes, to learn from: change "
            "builtin.gaps, builtin.max_steps or the mix of families.",
            shown="tab-h5_1",
        )
        def banded() -> Verdict:
            value = one(data, "metrics", model="base", panel="test", group="all", metric="success")
            return value, 0.40 <= value.point <= 0.75

    @judge.criterion(
        "placebo",
        "health",
        "Mean gain of the placebo",
        f"within \N{PLUS-MINUS SIGN}{PLACEBO}",
        "A patch without content moves the student: check its length and that the student was trained with "
        "empty and filled patches.",
        shown="fig-a1",
    )
    def placebo() -> Verdict:
        value = one(data, "label_metrics", metric="placebo_gain", group="all")
        return value, abs(value.point) <= PLACEBO

    @judge.criterion(
        "content_gain",
        "health",
        "Mean net gain of content patches where the expert can win",
        "interval above 0",
        "The student does not use patches: a student from scratch must see them in training; a large one "
        "needs a clearer layout.",
        shown="tab-h2_2",
    )
    def content() -> Verdict:
        value = one(data, "label_metrics", metric="net_mean", group="winnable")
        return value, value.low > 0

    @judge.criterion(
        "adapters",
        "health",
        "Adapters of the matrix that differ from base on a probe",
        f"= {len(RUNS)}",
        "An adapter equal to base was not trained or not loaded: see probe_shift and the loss of each run in "
        "training_summary.json.",
        shown="fig-a5",
    )
    def adapters() -> Verdict:
        runs = record(data, "training_summary", "runs")
        moved = [run for run in RUNS if float((runs.get(run) or {}).get("probe_shift") or 0.0) > 0]
        return float(len(moved)), len(moved) == len(RUNS)
