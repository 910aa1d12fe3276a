"""Phase 1: labels. Uncertainty, leverage, contextual patch test, depth, quadrants, panels.

Needs: snapshots, advice, games, student. Makes: results/phase1/{estimates,action_values,label_episodes,tree_nodes,
labeled_snapshots,expert_snapshots,panels}.parquet, thresholds.json.
"""


rule action_values:
    input:
        **needs("action-values", **LINKED),
    output:
        **makes("action-values"),
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
        command("action-values", without=NO_EXPERT_INPUT)


rule label:
    input:
        **needs("label"),
    output:
        **makes("label"),
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
        **needs("panels"),
    output:
        **makes("panels"),
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
        **needs("label-metrics"),
    output:
        **makes("label-metrics"),
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


rule setups:
    input:
        **needs("setups"),
    output:
        **makes("setups"),
    log:
        log_of("phase1/setups"),
    benchmark:
        timing_of("phase1/setups")
    resources:
        **OTHER_JOB,
    params:
        code=code("setups"),
        settings=settings("setups"),
    message:
        "Phase 1: the labels of setup B beside the student's"
    shell:
        command("setups")


rule skills:
    input:
        **needs("skills"),
    output:
        **makes("skills"),
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


rule quadrant_shares:
    input:
        **needs("quadrant-shares"),
    output:
        **makes("quadrant-shares"),
    log:
        log_of("phase1/quadrant_shares"),
    benchmark:
        timing_of("phase1/quadrant_shares")
    resources:
        **OTHER_JOB,
    params:
        code=code("quadrant-shares"),
        settings=settings(
            "quadrant-shares",
            planted=(
                sorted(CONFIG.builtin.gaps)
                if CONFIG.student.source == "builtin"
                else []
            ),
        ),
    message:
        "Phase 1: share of each quadrant, by family and planted skill"
    shell:
        command("quadrant-shares")


rule phase1:
    input:
        rules.label.output,
        rules.panels.output,
        rules.label_metrics.output,
        rules.setups.output,
        rules.skills.output,
        rules.quadrant_shares.output,
        "results/phase1/action_values.parquet",
        "results/phase1/label_episodes.parquet",
        "results/phase1/tree_nodes.parquet",


localrules:
    phase1,
