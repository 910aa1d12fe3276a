"""Each label alone, for those who want no more than one, and a judge of them: no part of the default target.

Needs: snapshots; leverage and patch test also games and student, the patch test advice; recovery also labels and panels,
the validation panel labels and the retention panel; the judge rollouts, labels, advice and action values.
Makes: results/phase1/{uncertainty,leverage,patch_test,validation_panel}.parquet, what leverage and patch test rest on
(results/phase1/{leverage,patch}_{estimates,episodes,nodes}.parquet) and results/phase2/recovery_trajectories.parquet; results/phase1/judge{ments,_agreement}.parquet.
"""


rule uncertainty:
    input:
        **needs("uncertainty"),
    output:
        **makes("uncertainty"),
    log:
        log_of("phase1/uncertainty"),
    benchmark:
        timing_of("phase1/uncertainty")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("uncertainty"),
        settings=settings("uncertainty"),
    message:
        "Phase 1: uncertainty alone"
    shell:
        command("uncertainty")


rule leverage_values:
    input:
        **needs("leverage-values", **LINKED),
    output:
        **makes("leverage-values"),
    log:
        log_of("phase1/leverage_values/{shard}"),
    benchmark:
        timing_of("phase1/leverage_values/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("leverage-values"),
        settings=lambda w: settings(
            "leverage-values", shard=int(w.shard), shards=len(SNAPSHOT_SHARDS)
        ),
    message:
        "Phase 1: rollouts for leverage alone, shard {wildcards.shard}"
    shell:
        command("leverage-values", without=NO_EXPERT_INPUT)


rule leverage_labels:
    input:
        **needs("leverage"),
    output:
        **makes("leverage"),
    log:
        log_of("phase1/leverage"),
    benchmark:
        timing_of("phase1/leverage")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("leverage"),
        settings=settings("leverage"),
    message:
        "Phase 1: leverage, profile and recovery depth alone"
    shell:
        command("leverage")


rule patch_values:
    input:
        **needs("patch-values"),
    output:
        **makes("patch-values"),
    log:
        log_of("phase1/patch_values/{shard}"),
    benchmark:
        timing_of("phase1/patch_values/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("patch-values"),
        settings=lambda w: settings(
            "patch-values", shard=int(w.shard), shards=len(SNAPSHOT_SHARDS)
        ),
    message:
        "Phase 1: rollouts for the patch test alone, shard {wildcards.shard}"
    shell:
        command("patch-values")


rule patch_labels:
    input:
        **needs("patch-test"),
    output:
        **makes("patch-test"),
    log:
        log_of("phase1/patch_test"),
    benchmark:
        timing_of("phase1/patch_test")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("patch-test"),
        settings=settings("patch-test"),
    message:
        "Phase 1: the patch test alone"
    shell:
        command("patch-test")


rule validation_panel:
    input:
        **needs("validation-panel"),
    output:
        **makes("validation-panel"),
    log:
        log_of("phase1/validation_panel"),
    benchmark:
        timing_of("phase1/validation_panel")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("validation-panel"),
        settings=settings("validation-panel"),
    message:
        "Phase 1: choose the snapshots of micro-training alone"
    shell:
        command("validation-panel")


rule recovery_trajectories:
    input:
        **needs(
            "recovery-trajectories",
            **LINKED,
            **({"student": STUDENT} if OF_STUDENT else {}),
        ),
    output:
        **makes("recovery-trajectories"),
    log:
        log_of("phase2/recovery_trajectories"),
    benchmark:
        timing_of("phase2/recovery_trajectories")
    threads: EXPERT_THREADS
    resources:
        **EXPERT_JOB,
    params:
        code=code("recovery-trajectories"),
        settings=settings("recovery-trajectories"),
    message:
        "Phase 2: export the expert's continuations from snapshots of high leverage"
    shell:
        command(
            "recovery-trajectories",
            without=NO_EXPERT_INPUT + ([] if OF_STUDENT else ["student"]),
        )


rule judge:
    input:
        **needs("judge"),
    output:
        **makes("judge"),
    log:
        log_of("phase1/judge"),
    benchmark:
        timing_of("phase1/judge")
    resources:
        **OTHER_JOB,
    params:
        code=code("judge"),
        settings=settings("judge"),
    message:
        "Phase 1: ask the judge about failed episodes and advice"
    shell:
        command("judge")


rule judge_agreement:
    input:
        **needs("judge-agreement"),
    output:
        **makes("judge-agreement"),
    log:
        log_of("phase1/judge_agreement"),
    benchmark:
        timing_of("phase1/judge_agreement")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("judge-agreement"),
        settings=settings("judge-agreement"),
    message:
        "Phase 1: agreement of the judge with what is known exactly"
    shell:
        command("judge-agreement")


rule leverage:
    input:
        rules.leverage_labels.output,
        DATA["leverage_episodes"],
        DATA["leverage_nodes"],


rule patch_test:
    input:
        rules.patch_labels.output,
        DATA["patch_episodes"],
        DATA["patch_nodes"],


rule quadrants:
    input:
        rules.label.output,


rule recovery:
    input:
        rules.recovery_trajectories.output,


localrules:
    leverage,
    patch_test,
    quadrants,
    recovery,
