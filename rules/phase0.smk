"""Phase 0: student rollouts, snapshots, restore check, retention panel, advice.

Needs: games, tasks, student. Makes: results/phase0/{steps,episodes,snapshots,retention_panel,advice}.parquet,
restore_check.json, splits.json.
"""

# Where no episode is the expert's, the rollouts do not depend on who that is.
SETUP_B = CONFIG.rollouts.expert_episodes_per_task > 0
EXPERT_OF_ROLLOUTS = {} if SETUP_B else {"expert": SOLVER}


rule rollout:
    input:
        **needs(
            "rollout",
            tasks="results/world/train/tasks/{shard}.parquet",
            games="results/world/train/games/{shard}",
            **(LINKED if SETUP_B else {}),
        ),
    output:
        **makes("rollout"),
    log:
        log_of("phase0/rollout/{shard}"),
    benchmark:
        timing_of("phase0/rollout/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("rollout"),
        settings=settings("rollout", **EXPERT_OF_ROLLOUTS),
    message:
        "Phase 0: play the student on training games, shard {wildcards.shard}"
    shell:
        command("rollout", without=[] if LINKED and SETUP_B else ["checkpoint"])


rule episode_values:
    input:
        **needs(
            "episode-values",
            steps="results/phase0/steps/{shard}.parquet",
            episodes="results/phase0/episodes/{shard}.parquet",
            tasks="results/world/train/tasks/{shard}.parquet",
            games="results/world/train/games/{shard}",
        ),
    output:
        **makes("episode-values"),
    log:
        log_of("phase0/episode_values/{shard}"),
    benchmark:
        timing_of("phase0/episode_values/{shard}")
    threads: STUDENT_THREADS
    resources:
        **STUDENT_JOB,
    params:
        code=code("episode-values"),
        settings=settings("episode-values"),
    message:
        "Phase 0: value every decision of the failed episodes, shard {wildcards.shard}"
    shell:
        command("episode-values")


BY_FALL = CONFIG.snapshots.mode == "fall"


rule snapshots:
    input:
        **needs("snapshots", **({"values": DATA["episode_values"]} if BY_FALL else {})),
    output:
        **makes("snapshots"),
    log:
        log_of("phase0/snapshots"),
    benchmark:
        timing_of("phase0/snapshots")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("snapshots"),
        settings=settings("snapshots"),
    message:
        "Phase 0: mine the decision points before failure"
    shell:
        command("snapshots", without=[] if BY_FALL else ["values"])


rule restore_check:
    input:
        **needs("restore-check"),
    output:
        **makes("restore-check"),
    log:
        log_of("phase0/restore_check"),
    benchmark:
        timing_of("phase0/restore_check")
    resources:
        **OTHER_JOB,
    params:
        code=code("restore-check"),
        settings=settings("restore-check"),
    message:
        "Phase 0: restore every snapshot and compare it"
    shell:
        command("restore-check")


rule retention_panel:
    input:
        **needs("retention-panel"),
    output:
        **makes("retention-panel"),
    log:
        log_of("phase0/retention_panel"),
    benchmark:
        timing_of("phase0/retention_panel")
    localrule: True
    resources:
        **OTHER_JOB,
    params:
        code=code("retention-panel"),
        settings=settings("retention-panel"),
    message:
        "Phase 0: choose tasks that the base student wins, near-misses first"
    shell:
        command("retention-panel")


rule advise:
    input:
        **needs("advise"),
    output:
        **makes("advise"),
    log:
        log_of("phase0/advise/{shard}"),
    benchmark:
        timing_of("phase0/advise/{shard}")
    resources:
        **OTHER_JOB,
    params:
        code=code("advise"),
        settings=lambda w: settings(
            "advise",
            student_layout=LAYOUT,
            shard=int(w.shard),
            shards=len(SNAPSHOT_SHARDS),
        ),
    message:
        "Phase 0: ask the teacher, shard {wildcards.shard}"
    shell:
        command("advise")


rule phase0:
    input:
        "results/config.json",
        "results/phase0/splits.json",
        "results/phase0/steps.parquet",
        rules.snapshots.output,
        rules.restore_check.output,
        rules.retention_panel.output,
        "results/phase0/advice.parquet",


localrules:
    phase0,
