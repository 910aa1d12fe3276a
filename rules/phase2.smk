"""Phase 2: the 14-run matrix and the recovery model; the runs themselves are in models.smk.

Needs: rollouts, labels, advice, panels, student. Makes: results/phase2/{replay,examples,budget}.parquet,
continuations/, training_summary.json.
"""


rule continuations:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
        advice="results/phase0/advice.parquet",
        panels="results/phase1/panels.parquet",
        tasks=TASKS["train"],
        games=GAMES["train"],
        student=STUDENT,
    output:
        steps="results/phase2/continuations/steps.parquet",
        episodes="results/phase2/continuations/episodes.parquet",
    log:
        log_of("phase2/continuations"),
    benchmark:
        timing_of("phase2/continuations")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("continuations"),
        settings=settings(
            "continuations",
            horizon=CONFIG.estimation.horizon,
            continuations=CONFIG.training.continuations,
        ),
    message:
        "Phase 2: play the student on after the teacher's command"
    shell:
        command("continuations")


# Where the student plays: by itself, and on from a training-side snapshot after the teacher's command.
PLAYED = ["phase0"] + ["phase2/continuations"] * (CONFIG.training.continuations > 0)


rule replay_examples:
    input:
        steps=[f"results/{place}/steps.parquet" for place in PLAYED],
        episodes=[f"results/{place}/episodes.parquet" for place in PLAYED],
        labeled="results/phase1/labeled_snapshots.parquet",
        panels="results/phase1/panels.parquet",
        retention="results/phase0/retention_panel.parquet",
        student=STUDENT,
    output:
        replay=REPLAY,
    log:
        log_of("phase2/replay_examples"),
    benchmark:
        timing_of("phase2/replay_examples")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("replay-examples"),
        settings=settings("replay-examples"),
    message:
        "Phase 2: collect decisions of the student's own won episodes"
    shell:
        command("replay-examples")


rule examples:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
        advice="results/phase0/advice.parquet",
        panels="results/phase1/panels.parquet",
        replay=REPLAY,
        student=STUDENT,
    output:
        examples="results/phase2/examples.parquet",
        budget="results/phase2/budget.parquet",
    log:
        log_of("phase2/examples"),
    benchmark:
        timing_of("phase2/examples")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("examples"),
        settings=settings(
            "examples",
            max_examples=CONFIG.training.max_examples,
            plain=CONFIG.training.plain,
            trainings=CONFIG.training.seeds,
            **replaying(CONFIG.training),
        ),
    message:
        "Phase 2: make the training sets of the 14 runs and their controls"
    shell:
        command("examples")


rule recovery_examples:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
        panels="results/phase1/panels.parquet",
        replay=REPLAY,
        tasks=TASKS["train"],
        games=GAMES["train"],
        student=STUDENT,
    output:
        examples="results/phase2/recovery_examples.parquet",
        budget="results/phase2/recovery_budget.parquet",
    log:
        log_of("phase2/recovery_examples"),
    benchmark:
        timing_of("phase2/recovery_examples")
    resources:
        **OTHER_JOB,
    params:
        code=code("recovery-examples"),
        settings=settings(
            "recovery-examples",
            max_examples=CONFIG.training.max_examples,
            recovery_minimum=CONFIG.training.recovery_minimum,
            **replaying(CONFIG.training),
        ),
    message:
        "Phase 2: continue with the expert from snapshots of high leverage"
    shell:
        command("recovery-examples")


rule training_summary:
    input:
        records=[f"results/phase2/records/{model}.json" for model in models_of(TRAINED)],
    output:
        summary="results/phase2/training_summary.json",
    log:
        log_of("phase2/training_summary"),
    benchmark:
        timing_of("phase2/training_summary")
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
