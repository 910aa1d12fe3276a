"""Phase 2: the 14-run matrix and the recovery model; the runs themselves are in models.smk.

Needs: labels, advice, panels, student. Makes: results/phase2/{examples,budget}.parquet, adapters/<run>,
records/<run>.json, training_summary.json.
"""


rule examples:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
        advice="results/phase0/advice.parquet",
        panels="results/phase1/panels.parquet",
        student=STUDENT,
    output:
        examples="results/phase2/examples.parquet",
        budget="results/phase2/budget.parquet",
    log:
        "logs/phase2/examples.log",
    benchmark:
        "results/benchmarks/phase2/examples.tsv"
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("examples"),
        settings=settings("examples", max_examples=CONFIG.training.max_examples),
    message:
        "Phase 2: make the training sets of the 14 runs"
    shell:
        command("examples")


rule recovery_examples:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
        panels="results/phase1/panels.parquet",
        tasks=TASKS["train"],
        games=GAMES["train"],
        student=STUDENT,
    output:
        examples="results/phase2/recovery_examples.parquet",
        budget="results/phase2/recovery_budget.parquet",
    log:
        "logs/phase2/recovery_examples.log",
    benchmark:
        "results/benchmarks/phase2/recovery_examples.tsv"
    resources:
        **OTHER_JOB,
    params:
        code=code("recovery-examples"),
        settings=settings(
            "recovery-examples",
            max_examples=CONFIG.training.max_examples,
            recovery_minimum=CONFIG.training.recovery_minimum,
        ),
    message:
        "Phase 2: continue with the expert from snapshots of high leverage"
    shell:
        command("recovery-examples")


rule training_summary:
    input:
        records=expand("results/phase2/records/{run}.json", run=[*MATRIX, "recovery"]),
    output:
        summary="results/phase2/training_summary.json",
    log:
        "logs/phase2/training_summary.log",
    benchmark:
        "results/benchmarks/phase2/training_summary.tsv"
    resources:
        **OTHER_JOB,
    params:
        code=code("training-summary"),
        settings=settings("training-summary"),
    message:
        "Phase 2: collect the records of all runs"
    shell:
        command("training-summary")


rule phase2:
    input:
        rules.training_summary.output,
        rules.examples.output,


localrules:
    training_summary,
    phase2,
