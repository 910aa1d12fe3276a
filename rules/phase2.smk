"""Phase 2: the 14-run matrix and the recovery model; the runs themselves are in models.smk.

Needs: rollouts, labels, advice, panels, student. Makes: results/phase2/{replay,examples,budget}.parquet,
continuations/, training_summary.json.
"""


rule continuations:
    input:
        **needs("continuations"),
    output:
        **makes("continuations"),
    log:
        log_of("phase2/continuations"),
    benchmark:
        timing_of("phase2/continuations")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("continuations"),
        settings=settings("continuations"),
    message:
        "Phase 2: play the student on after the teacher's command"
    shell:
        command("continuations")


# Where the student plays: by itself, and on from a training-side snapshot after the teacher's command.
PLAYED = [""] + ["continued_"] * (CONFIG.training.continuations > 0)


rule replay_examples:
    input:
        **needs(
            "replay-examples",
            **{
                name: [DATA[f"{place}{name}"] for place in PLAYED]
                for name in ("steps", "episodes")
            },
        ),
    output:
        **makes("replay-examples"),
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
        **needs("examples"),
    output:
        **makes("examples"),
    log:
        log_of("phase2/examples"),
    benchmark:
        timing_of("phase2/examples")
    priority: 3  # the matrix of trainings waits for it
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("examples"),
        settings=settings("examples"),
    message:
        "Phase 2: make the training sets of the 14 runs and their controls"
    shell:
        command("examples")


rule recovery_examples:
    input:
        **needs("recovery-examples", **LINKED),
    output:
        **makes("recovery-examples"),
    log:
        log_of("phase2/recovery_examples"),
    benchmark:
        timing_of("phase2/recovery_examples")
    priority: 3  # the matrix of trainings waits for it
    threads: EXPERT_THREADS
    resources:
        **EXPERT_JOB,
    params:
        code=code("recovery-examples"),
        settings=settings("recovery-examples"),
    message:
        "Phase 2: continue with the expert from snapshots of high leverage"
    shell:
        command("recovery-examples", without=NO_EXPERT_INPUT)


rule training_summary:
    input:
        records=[f"results/phase2/records/{model}.json" for model in models_of(TRAINED)],
    output:
        **makes("training-summary"),
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
