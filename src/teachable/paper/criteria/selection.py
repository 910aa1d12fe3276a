"""H7: which choice of k snapshots teaches most?"""

from __future__ import annotations

from teachable.paper.criteria.judge import Judge, Verdict, one
from teachable.paper.inputs import Interval, PaperError, number, select, where
from teachable.terms import selection_name, selection_of


def selection(judge: Judge) -> None:
    """From the contrasts of the selection runs."""
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
        return one(data, "selection_contrasts", contrast=name, panel=panel, group="all", metric="success")

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
            shown="tab-h7_1",
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
                shown="fig-h7_1",
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
        shown="fig-h7_2",
    )
    def kept() -> Verdict:
        value = paired("predictor", "entropy", "retention")
        return value, value.low > -0.05
