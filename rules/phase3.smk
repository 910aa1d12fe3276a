"""Phase 3: evaluation on held-out games. Success, transfer, retention, stuckness, mechanism, drift.

Needs: adapters, panels, test games, features. Makes: results/phase3/{metrics,contrasts,transfer,mechanistic,drift,
checkpoints,feature_drift}.parquet and models/<run>/.
"""

BASE_MODELS = models_of([BASE])


rule evaluate_base:
    input:
        **needs("evaluate"),
    output:
        episodes=[
            f"results/phase3/models/{model}/episodes.parquet" for model in BASE_MODELS
        ],
        probes=[
            f"results/phase3/models/{model}/probes.parquet" for model in BASE_MODELS
        ],
    log:
        log_of("phase3/evaluate_base"),
    benchmark:
        timing_of("phase3/evaluate_base")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("evaluate"),
        lines=joined(
            evaluate_line("results/phase2", "results/phase3", model)
            for model in BASE_MODELS
        ),
    message:
        "Phase 3: play the base student on every panel, once for every training of a run"
    shell:
        LINES


rule evaluation_summary:
    input:
        **needs(
            "evaluation-summary",
            episodes=[
                f"results/phase3/models/{run}/episodes.parquet"
                for run in models_of([BASE, *TRAINED])
            ],
        ),
    output:
        **makes("evaluation-summary"),
    log:
        log_of("phase3/evaluation_summary"),
    benchmark:
        timing_of("phase3/evaluation_summary")
    resources:
        **OTHER_JOB,
    params:
        code=code("evaluation-summary"),
        settings=settings("evaluation-summary"),
    message:
        "Phase 3: success, contrasts with the base and transfer"
    shell:
        command("evaluation-summary")


# Mechanism and drift are looked at in the first training of each run.
FIRST_TRAINED = [f"{run}/{TRAIN_SEEDS[0]}" for run in (BASE, *TRAINED)]


rule mechanistic_summary:
    input:
        **needs(
            "mechanistic-summary",
            **{
                name: [
                    f"results/phase3/models/{run}/{name}.parquet"
                    for run in FIRST_TRAINED
                ]
                for name in ("probes", "episodes")
            },
        ),
    output:
        **makes("mechanistic-summary"),
    log:
        log_of("phase3/mechanistic_summary"),
    benchmark:
        timing_of("phase3/mechanistic_summary")
    resources:
        **OTHER_JOB,
    params:
        code=code("mechanistic-summary"),
        settings=settings("mechanistic-summary"),
    message:
        "Phase 3: first actions, probability shifts and linear probes"
    shell:
        command("mechanistic-summary")


rule drift:
    input:
        **needs("drift", adapter=f"results/phase2/adapters/{{run}}/{TRAIN_SEEDS[0]}"),
    output:
        **makes("drift"),
    log:
        log_of("phase3/drift/{run}"),
    benchmark:
        timing_of("phase3/drift/{run}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("drift"),
        settings=lambda w: settings("drift", model=w.run),
    message:
        "Phase 3: repeat the patch test at the checkpoints of {wildcards.run}"
    shell:
        command("drift")


rule checkpoints:
    input:
        **needs(
            "checkpoints", adapter=f"results/phase2/adapters/{{run}}/{TRAIN_SEEDS[0]}"
        ),
    output:
        **makes("checkpoints"),
    log:
        log_of("phase3/checkpoints/{run}"),
    benchmark:
        timing_of("phase3/checkpoints/{run}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("checkpoints"),
        settings=lambda w: settings("checkpoints", model=w.run),
    message:
        "Phase 3: play the retention panel at the checkpoints of {wildcards.run}"
    shell:
        command("checkpoints")


rule checkpoint_summary:
    input:
        **needs(
            "checkpoint-summary",
            base=f"results/phase3/models/{BASE}/{TRAIN_SEEDS[0]}/episodes.parquet",
            episodes=[
                *expand(
                    "results/phase3/checkpoints/{run}.parquet",
                    run=CONFIG.evaluation.drift_runs,
                ),
                *expand("results/phase3/retention/{run}.parquet", run=CURVES),
            ],
        ),
    output:
        **makes("checkpoint-summary"),
    log:
        log_of("phase3/checkpoint_summary"),
    benchmark:
        timing_of("phase3/checkpoint_summary")
    resources:
        **OTHER_JOB,
    params:
        code=code("checkpoint-summary"),
        settings=settings("checkpoint-summary"),
    message:
        "Phase 3: retention at first, middle and last checkpoint"
    shell:
        command("checkpoint-summary")


rule failures:
    input:
        **needs("failures", adapter=f"results/phase2/adapters/{{run}}/{TRAIN_SEEDS[0]}"),
    output:
        **makes("failures"),
    log:
        log_of("phase3/failures/{run}"),
    benchmark:
        timing_of("phase3/failures/{run}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("failures"),
        settings=lambda w: settings("failures", model=w.run),
    message:
        "Phase 3: features of what {wildcards.run} fails at"
    shell:
        command("failures")


rule feature_drift:
    input:
        **needs(
            "feature-drift",
            failures=expand(
                "results/phase3/failure_features/{run}.parquet",
                run=CONFIG.evaluation.drift_runs,
            ),
        ),
    output:
        **makes("feature-drift"),
    log:
        log_of("phase3/feature_drift"),
    benchmark:
        timing_of("phase3/feature_drift")
    resources:
        **OTHER_JOB,
    params:
        code=code("feature-drift"),
        settings=settings("feature-drift"),
    message:
        "Phase 3: shift of every feature between the base student's failures and a run's"
    shell:
        command("feature-drift")


# By itself, for those who want no more than it: no part of the default target.
rule evaluate_end2end:
    input:
        **needs("end2end", episodes=rules.evaluation_summary.input.episodes),
    output:
        **makes("end2end"),
    log:
        log_of("phase3/end2end"),
    benchmark:
        timing_of("phase3/end2end")
    resources:
        **OTHER_JOB,
    params:
        code=code("end2end"),
        settings=settings("end2end"),
    message:
        "Phase 3: success on whole held-out games alone"
    shell:
        command("end2end")


rule end2end:
    input:
        rules.evaluate_end2end.output,


rule phase3:
    input:
        rules.evaluation_summary.output,
        rules.mechanistic_summary.output,
        "results/phase3/drift.parquet",
        rules.checkpoint_summary.output,
        rules.feature_drift.output,


localrules:
    end2end,
    phase3,
