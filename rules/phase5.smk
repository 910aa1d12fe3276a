"""Phase 5: selection at a fixed budget. One model a method, evaluated as in phase 3.

Needs: features, predictions, labels. Makes: results/phase5/{sets,examples,budget}/<run>.parquet,
adapters/<run>, models/<run>/, metrics.parquet, contrasts.parquet.
"""


rule select:
    input:
        predictions="results/phase4/predictions.parquet",
        features="results/phase4/features.parquet",
        labeled="results/phase1/labeled_snapshots.parquet",
        panels="results/phase1/panels.parquet",
    output:
        selection="results/phase5/sets/S_{method}.parquet",
    log:
        "logs/phase5/select/{method}.log",
    benchmark:
        "results/benchmarks/phase5/select-{method}.tsv"
    resources:
        **OTHER_JOB,
    params:
        code=code("select"),
        settings=lambda w: settings("select", method=w.method, k=CONFIG.selection.k),
    message:
        "Phase 5: choose snapshots by {wildcards.method}"
    shell:
        command("select")


rule selection_examples:
    input:
        selection="results/phase5/sets/{run}.parquet",
        labeled="results/phase1/labeled_snapshots.parquet",
        advice="results/phase0/advice.parquet",
        panels="results/phase1/panels.parquet",
        student=STUDENT,
    output:
        examples="results/phase5/examples/{run}.parquet",
        budget="results/phase5/budget/{run}.parquet",
    log:
        "logs/phase5/selection_examples/{run}.log",
    benchmark:
        "results/benchmarks/phase5/selection_examples-{run}.tsv"
    resources:
        **OTHER_JOB,
    params:
        code=code("selection-examples"),
        settings=settings("selection-examples", k=CONFIG.selection.k),
    message:
        "Phase 5: make the training set of {wildcards.run}"
    shell:
        command("selection-examples")


use rule train as train_selection with:
    input:
        examples="results/phase5/examples/{run}.parquet",
        student=STUDENT,
    output:
        adapter=directory("results/phase5/adapters/{run}"),
        record="results/phase5/records/{run}.json",
    log:
        "logs/phase5/train/{run}.log",
    benchmark:
        "results/benchmarks/phase5/train-{run}.tsv"


use rule evaluate as evaluate_selection with:
    input:
        student=STUDENT,
        adapter="results/phase5/adapters/{run}",
        labeled="results/phase1/labeled_snapshots.parquet",
        panels="results/phase1/panels.parquet",
        retention="results/phase0/retention_panel.parquet",
        tasks=TASKS["train"],
        games=GAMES["train"],
        test_tasks=TASKS["test"],
        test_games=GAMES["test"],
    output:
        episodes="results/phase5/models/{run}/episodes.parquet",
        probes="results/phase5/models/{run}/probes.parquet",
    log:
        "logs/phase5/evaluate/{run}.log",
    benchmark:
        "results/benchmarks/phase5/evaluate-{run}.tsv"


rule selection_summary:
    input:
        episodes=[
            "results/phase3/models/base/episodes.parquet",
            *expand("results/phase5/models/{run}/episodes.parquet", run=SELECTIONS),
        ],
        labeled="results/phase1/labeled_snapshots.parquet",
    output:
        metrics="results/phase5/metrics.parquet",
        contrasts="results/phase5/contrasts.parquet",
    log:
        "logs/phase5/selection_summary.log",
    benchmark:
        "results/benchmarks/phase5/selection_summary.tsv"
    resources:
        **OTHER_JOB,
    params:
        code=code("selection-summary"),
        settings=settings("selection-summary"),
    message:
        "Phase 5: compare the selection methods"
    shell:
        command("selection-summary")


rule phase5:
    input:
        rules.selection_summary.output,
        "results/phase5/sets.parquet",


localrules:
    phase5,
