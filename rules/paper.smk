"""The paper: one rule a figure, one rule a table, the criteria and the report.

Needs: the tables of all phases. Makes: figures/fig_*.pdf|png, tables/tab_*.tex|csv, results/criteria.json,
results/report.html and report.md.
"""

from teachable.paper import FIGURES, MINIMUM_FIGURES, MINIMUM_TABLES, TABLES

# The names by which figures, tables, criteria and report ask for data.
DATA = {
    "config": "results/config.json",
    "splits": "results/phase0/splits.json",
    "steps": "results/phase0/steps.parquet",
    "episodes": "results/phase0/episodes.parquet",
    "snapshots": "results/phase0/snapshots.parquet",
    "advice": "results/phase0/advice.parquet",
    "restore_check": "results/phase0/restore_check.json",
    "labeled": "results/phase1/labeled_snapshots.parquet",
    "thresholds": "results/phase1/thresholds.json",
    "panels": "results/phase1/panels.parquet",
    "microtraining": "results/phase1b/microtraining.parquet",
    "cpt_correlation": "results/phase1b/cpt_correlation.json",
    "budget": "results/phase2/budget.parquet",
    "training_summary": "results/phase2/training_summary.json",
    "metrics": "results/phase3/metrics.parquet",
    "contrasts": "results/phase3/contrasts.parquet",
    "transfer": "results/phase3/transfer.parquet",
    "mechanistic": "results/phase3/mechanistic.parquet",
    "drift": "results/phase3/drift.parquet",
    "checkpoints": "results/phase3/checkpoints.parquet",
    "predictions": "results/phase4/predictions.parquet",
    "predictor_metrics": "results/phase4/metrics.parquet",
    "calibration": "results/phase4/calibration.parquet",
    "importance": "results/phase4/importance.parquet",
    "confusion": "results/phase4/confusion.parquet",
    "cost": "results/phase4/cost.parquet",
    "selection": "results/phase5/sets.parquet",
    "selection_metrics": "results/phase5/metrics.parquet",
    "selection_contrasts": "results/phase5/contrasts.parquet",
}


def read_by(stage, names):
    """The shell line of a stage whose inputs differ from item to item."""
    return command(stage).replace("--in ", "").replace(
        f"teachable {stage}", f"teachable {stage} --in " + " ".join(f"{name}={{input.{name}}}" for name in names)
    )


for item in FIGURES.values():

    rule:
        name:
            f"fig_{item.id}"
        message:
            f"Draw Fig. {item.label}: {item.title}"
        input:
            **{name: DATA[name] for name in item.inputs},
        output:
            pdf=f"figures/fig_{item.id}.pdf",
            png=report(f"figures/fig_{item.id}.png", caption="../docs/report/caption.rst", category=item.hypothesis),
        params:
            code=code("figure", item=item.id),
            settings=settings("figure", item=item.id),
            title=item.title,
            caption=item.caption,
        log:
            f"logs/paper/fig_{item.id}.log",
        benchmark:
            f"results/benchmarks/paper/fig_{item.id}.tsv"
        resources:
            **OTHER_JOB,
        shell:
            read_by("figure", item.inputs)


for item in TABLES.values():

    rule:
        name:
            f"tab_{item.id}"
        message:
            f"Make Tab. {item.label}: {item.title}"
        input:
            **{name: DATA[name] for name in item.inputs},
        output:
            tex=f"tables/tab_{item.id}.tex",
            csv=report(f"tables/tab_{item.id}.csv", caption="../docs/report/caption.rst", category=item.hypothesis),
        params:
            code=code("table", item=item.id),
            settings=settings("table", item=item.id),
            title=item.title,
            caption=item.caption,
        log:
            f"logs/paper/tab_{item.id}.log",
        benchmark:
            f"results/benchmarks/paper/tab_{item.id}.tsv"
        resources:
            **OTHER_JOB,
        shell:
            read_by("table", item.inputs)
