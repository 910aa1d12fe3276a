"""Phase 5: selection at fixed budgets. One run a method and budget, evaluated as in phase 3.

Needs: features, predictions, labels. Makes: results/phase5/{sets,examples,budget}/<run>.parquet,
adapters/<run>/<seed>, models/<run>/<seed>/, metrics.parquet, contrasts.parquet.
"""


rule select:
    input:
        predictions="results/phase4/predictions.parquet",
        features="results/phase4/features.parquet",
        labeled="results/phase1/labeled_snapshots.parquet",
        expert="results/phase1/expert_snapshots.parquet",
        panels="results/phase1/panels.parquet",
    output:
        selection="results/phase5/sets/{run}.parquet",
    log:
        log_of("phase5/select/{run}"),
    benchmark:
        timing_of("phase5/select/{run}")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=lambda w: code("select", method=selection_of(w.run)[0]),
        settings=lambda w: settings(
            "select",
            method=selection_of(w.run)[0],
            k=selection_of(w.run)[1],
            draws=CONFIG.training.seeds if selection_of(w.run)[0] == "random" else 1,
        ),
    message:
        "Phase 5: choose the snapshots of {wildcards.run}"
    shell:
        command("select")


rule selection_examples:
    input:
        selection="results/phase5/sets/{run}.parquet",
        labeled="results/phase1/labeled_snapshots.parquet",
        expert="results/phase1/expert_snapshots.parquet",
        advice="results/phase0/advice.parquet",
        panels="results/phase1/panels.parquet",
        replay=REPLAY,
        student=STUDENT,
    output:
        examples="results/phase5/examples/{run}.parquet",
        budget="results/phase5/budget/{run}.parquet",
    log:
        log_of("phase5/selection_examples/{run}"),
    benchmark:
        timing_of("phase5/selection_examples/{run}")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("selection-examples"),
        settings=lambda w: settings(
            "selection-examples",
            k=selection_of(w.run)[1],
            **replaying(SELECTION_TRAINING),
        ),
    message:
        "Phase 5: make the training set of {wildcards.run}"
    shell:
        command("selection-examples")


rule selection_summary:
    input:
        episodes=[
            "results/phase3/models/base/episodes.parquet",
            *expand(
                "results/phase3/models/{model}/episodes.parquet",
                model=models_of([REPLAY_ONLY]),
            ),
            *expand(
                "results/phase5/models/{model}/episodes.parquet",
                model=models_of(SELECTIONS),
            ),
        ],
        labeled="results/phase1/labeled_snapshots.parquet",
    output:
        metrics="results/phase5/metrics.parquet",
        contrasts="results/phase5/contrasts.parquet",
    log:
        log_of("phase5/selection_summary"),
    benchmark:
        timing_of("phase5/selection_summary")
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
