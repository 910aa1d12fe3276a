"""Phase 1: labels. Uncertainty, leverage, contextual patch test, depth, quadrants, panels.

Needs: snapshots, advice, games, student. Makes: results/phase1/{estimates,action_values,label_episodes,tree_nodes,
labeled_snapshots,expert_snapshots,panels}.parquet, thresholds.json.
"""


rule action_values:
    input:
        snapshots="results/phase0/snapshots.parquet",
        advice="results/phase0/advice.parquet",
        tasks=TASKS["train"],
        games=GAMES["train"],
        student=STUDENT,
    output:
        estimates="results/phase1/estimates/{shard}.parquet",
        action_values="results/phase1/action_values/{shard}.parquet",
        episodes="results/phase1/label_episodes/{shard}.parquet",
        nodes="results/phase1/tree_nodes/{shard}.parquet",
    log:
        log_of("phase1/action_values/{shard}"),
    benchmark:
        timing_of("phase1/action_values/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("action-values"),
        settings=lambda w: settings(
            "action-values", shard=int(w.shard), shards=len(SNAPSHOT_SHARDS)
        ),
    message:
        "Phase 1: counterfactual rollouts from the snapshots, shard {wildcards.shard}"
    shell:
        command("action-values")


rule label:
    input:
        snapshots="results/phase0/snapshots.parquet",
        advice="results/phase0/advice.parquet",
        estimates="results/phase1/estimates.parquet",
    output:
        labeled="results/phase1/labeled_snapshots.parquet",
        expert="results/phase1/expert_snapshots.parquet",
        thresholds="results/phase1/thresholds.json",
    log:
        log_of("phase1/label"),
    benchmark:
        timing_of("phase1/label")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("label"),
        settings=settings("label"),
    message:
        "Phase 1: uncertainty, leverage, patch test, depth and quadrants"
    shell:
        command("label")


rule panels:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
        retention="results/phase0/retention_panel.parquet",
    output:
        panels="results/phase1/panels.parquet",
    log:
        log_of("phase1/panels"),
    benchmark:
        timing_of("phase1/panels")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("panels"),
        settings=settings("panels"),
    message:
        "Phase 1: choose training and held-out games and the panels"
    shell:
        command("panels")


rule label_metrics:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
    output:
        metrics="results/phase1/label_metrics.parquet",
    log:
        log_of("phase1/label_metrics"),
    benchmark:
        timing_of("phase1/label_metrics")
    resources:
        **OTHER_JOB,
    params:
        code=code("label-metrics"),
        settings=settings("label-metrics"),
    message:
        "Phase 1: means, shares and correlations of the labels"
    shell:
        command("label-metrics")


rule skills:
    input:
        labeled="results/phase1/labeled_snapshots.parquet",
    output:
        skills="results/phase1/skills.parquet",
    log:
        log_of("phase1/skills"),
    benchmark:
        timing_of("phase1/skills")
    resources:
        **OTHER_JOB,
    params:
        code=code("skills"),
        settings=settings(
            "skills",
            world_name=CONFIG.world.name,
            gaps=(
                CONFIG.builtin.model_dump()["gaps"]
                if CONFIG.student.source == "builtin"
                else {}
            ),
        ),
    message:
        "Phase 1: count the skills that the failures lack, beside those that were planted"
    shell:
        command("skills")


rule phase1:
    input:
        rules.label.output,
        rules.panels.output,
        rules.label_metrics.output,
        rules.skills.output,
        "results/phase1/action_values.parquet",
        "results/phase1/label_episodes.parquet",
        "results/phase1/tree_nodes.parquet",


localrules:
    phase1,
