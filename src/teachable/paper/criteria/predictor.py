"""H6: what the predictor foretells of games it has not seen."""

from __future__ import annotations

from teachable.paper.criteria.judge import Judge, Verdict
from teachable.paper.inputs import Interval, PaperError, number, select, where


def predictor(judge: Judge) -> None:
    """From the metrics of the cross-fitted predictor."""
    data = judge.data

    @judge.criterion(
        "predictor_ndcg",
        "H6",
        "NDCG@k of the predictor minus entropy, middle k",
        "interval above 0",
        "Label more snapshots (figure H6.4 shows whether more would help) or add features.",
        shown="fig-h6_1",
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
            shown="tab-h6_1",
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
